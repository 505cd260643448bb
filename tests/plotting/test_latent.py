import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from sklearn.decomposition import PCA

from lyapsk.exceptions import InvalidInputError, InvalidTypeError
from lyapsk.plotting import LatentDisplay

LATENT = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])


def test_latent_points_take_colour_and_shape(ax):
    display = LatentDisplay.from_predictions(
        LATENT, values=[3, 1, 2], categories=["b", "a", "b"], value_name="loss", ax=ax
    )
    b, a = display.points_
    np.testing.assert_array_equal(b.get_offsets(), LATENT[[0, 2]])
    np.testing.assert_array_equal(a.get_array(), [1])
    assert a.get_clim() == b.get_clim() == (1, 3)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["b", "a"]
    assert display.colorbar_.ax.get_ylabel() == "loss"


def test_latent_points_alone_have_no_legend(ax):
    display = LatentDisplay.from_predictions(LATENT, ax=ax)
    assert len(display.points_) == 1
    assert display.colorbar_ is ax.get_legend() is None


def test_latent_code_comes_from_the_transformer(ax):
    X = np.random.default_rng(0).normal(size=(6, 4))
    pca = PCA(2).fit(X)
    display = LatentDisplay.from_estimator(pca, X, values=X[:, 0], ax=ax)
    np.testing.assert_array_equal(display.latent, pca.transform(X))


def test_points_without_a_finite_value_are_grey(ax):
    display = LatentDisplay.from_predictions(LATENT, values=[np.nan, 1, np.inf], ax=ax)
    (points,) = display.points_
    assert len(points.get_offsets().compressed()) == 6
    points.update_scalarmappable()
    grey, coloured, also_grey = points.get_facecolors()[:, :3]
    np.testing.assert_array_equal([grey, also_grey], [to_rgba("lightgray")[:3]] * 2)
    assert tuple(coloured) in [mpl.colormaps["viridis"](i)[:3] for i in range(256)]


@pytest.mark.parametrize(
    ("latent", "others", "message"),
    [
        (LATENT, {"values": [[1, 2, 3]]}, r"values has shape \(1, 3\) for 3 networks"),
        (LATENT, {"values": [np.nan] * 3}, "values: none of the 3 is finite. Leave values out"),
        (LATENT, {"categories": ["a"]}, r"categories has shape \(1,\)"),
        (LATENT[:, :1], {}, r"latent has shape \(3, 1\).*latent_dim=2"),
        ([], {}, r"latent has shape \(0,\)"),
        (LATENT[:0], {}, r"latent has shape \(0, 2\). It must be \(n_networks, 2\), a point"),
        (LATENT * np.nan, {}, r"latent: entry \(0, 0\) is nan"),
        (np.zeros((8, 2)), {"categories": range(8)}, "8 different entries: at most 7"),
    ],
)
def test_misfits_are_refused(latent, others, message, ax):
    with pytest.raises(InvalidInputError, match=message):
        LatentDisplay(latent, **others).plot(ax)


def test_what_holds_no_numbers_is_refused(ax):
    with pytest.raises(InvalidTypeError, match="latent: got list that is no array of real"):
        LatentDisplay([["a", "b"]]).plot(ax)
    with pytest.raises(InvalidTypeError, match="values: got list that is no array of real"):
        LatentDisplay(LATENT, values=["a", "b", "c"]).plot(ax)
