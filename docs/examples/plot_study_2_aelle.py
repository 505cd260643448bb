"""
Study 2: AeLLE tells good networks from poor ones
=================================================

`Lyapunov-Guided Representation of Recurrent Neural Network Performance
<https://arxiv.org/abs/2204.04876>`_ (R. Vogt, Y. Zheng and E. Shlizerman) trains an autoencoder
that reconstructs the Lyapunov spectra of many networks and predicts their performance from its
code. The code of a network is its **AeLLE**. The paper says that the AeLLE goes with the accuracy
of networks of several architectures, that it holds for new inputs of the same task, and that it
forms early in training, so that the final accuracy can be predicted. R. Vogt's thesis
(`hdl.handle.net/1773/50205 <https://hdl.handle.net/1773/50205>`_) adds that it does so across
initial weights, size and architecture, better than direct statistics of the spectrum. This page
asks these one by one, and one more: what if the learning rate varies too?

The words: a **Lyapunov exponent** says how fast a small change of a network's state grows (above
zero) or dies (below) as it reads on, in nats per step. There are as many as the state has numbers:
the **spectrum**.
"""

# %%
# Two populations
# ---------------
#
# Both learn to tell the next character of a text from a small grammar. Each has 54 networks, Elman,
# GRU and LSTM in turn, of 8 to 32 units, whose recurrent weights are drawn uniformly with a
# half-width between 0.03 and 2. In the first all train with one learning rate. In the second it is
# drawn from two decades. The target is the log of the final validation loss.

from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import KFold, LeaveOneGroupOut, cross_val_predict, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler

from lyapsk import AeLLERegressor, LyapunovSpectrumTransformer
from lyapsk.plotting import LatentDisplay, PredictionDisplay
from lyapsk.tasks import characters, make_population

EPOCHS = (0, 1, 8)
RATES = {"one rate": 0.005, "many rates": (0.0005, 0.05)}
task = characters(n_train=384, n_valid=128, n_steps=30)
with TemporaryDirectory() as directory:
    populations = {
        name: make_population(
            task,
            54,
            hidden_sizes=(8, 32),
            learning_rates=rates,
            max_epochs=EPOCHS[-1],
            checkpoints=EPOCHS,
            directory=directory,
            n_jobs=2,
            verbose=0,
        )
        for name, rates in RATES.items()
    }

targets = {name: np.log(population.final_loss) for name, population in populations.items()}
kinds = np.array([recipe.kind for recipe in populations["one rate"].recipes])
sizes = np.array([recipe.hidden_size for recipe in populations["one rate"].recipes])


def spectra(nets, sequences):
    """One row of features for each network."""
    transformer = LyapunovSpectrumTransformer(sequences).set_output(transform="pandas")
    return transformer.fit_transform(nets)


features = {
    (name, epoch): spectra(population.nets(epoch), task.X_valid[:4])
    for name, population in populations.items()
    for epoch in EPOCHS
}

# %%
# Untrained networks that were not seen
# -------------------------------------
#
# From here on every prediction is of a network that the predictor was not fitted to: five folds,
# each predicted from the other four. The spectra are those of *untrained* networks. Along fresh
# sequences, which the predictor has not seen either, the same networks are predicted once more.
# Bars hold 90 % of the truth if the predictor is right about itself.

y = targets["one rate"]
untrained = features["one rate", 0]
fresh_spectra = spectra(populations["one rate"].nets(0), task.X_valid[4:8])
folds = KFold(5, shuffle=True, random_state=0)
aelle = AeLLERegressor(random_state=0)

predicted, spread, fresh = np.empty((3, len(y)))
for train, test in folds.split(y):
    aelle.fit(untrained.iloc[train], y[train])
    predicted[test], spread[test] = aelle.predict(untrained.iloc[test], return_std=True)
    fresh[test] = aelle.predict(fresh_spectra.iloc[test])

figure, ax = plt.subplots(figsize=(5, 4.2), layout="constrained")
display = PredictionDisplay.from_predictions(
    y, predicted, spread, value_name="log of the final loss", ax=ax
)
_ = ax.set_title("Untrained networks, held out")

# %%
# The code itself, of two numbers so that it can be drawn: an AeLLE is fitted to half of the
# networks, and the other half is encoded. Yellow is bad.

train, test = train_test_split(np.arange(54), test_size=0.5, stratify=kinds, random_state=0)
picture = AeLLERegressor(latent_dim=2, random_state=0).fit(untrained.iloc[train], y[train])
figure, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
LatentDisplay.from_estimator(
    picture,
    untrained.iloc[test],
    values=y[test],
    categories=np.where(kinds == "RNN", "Elman", kinds)[test],
    value_name="Log of the final loss",
    ax=ax,
)
_ = ax.set_title("Two-dimensional AeLLE, held-out networks")

# %%
# Beside direct statistics
# ------------------------
#
# A spline of one statistic alone is fitted to the same folds. ``R2`` is the share of the variance
# of the target that is explained: 0 is a guess of the mean, below 0 is worse. ``AUC`` is the
# probability that of a network from the better half and one from the worse half the prediction
# picks the better one; 0.5 is a coin. Errors are standard errors over 500 bootstrap samples of the
# networks.

rng = np.random.default_rng(0)
spline = make_pipeline(StandardScaler(), SplineTransformer(), RidgeCV(np.logspace(-3, 4, 15)))


def bootstrapped(score, *arrays):
    """A score and its standard error over samples of the networks."""
    draws = rng.integers(len(arrays[0]), size=(500, len(arrays[0])))
    error = np.std([score(*(array[draw] for array in arrays)) for draw in draws])
    return score(*arrays), error


def auc(y, predicted):
    return roc_auc_score(y < np.median(y), -predicted)


def told(pair):
    return f"{pair[0]:.2f} ± {pair[1]:.2f}"


guesses = {"AeLLE": predicted}
for statistic in ("largest", "mean", "entropy_rate", "kaplan_yorke_dimension"):
    guesses[statistic] = cross_val_predict(spline, untrained[[statistic]], y, cv=folds)
r2s = {name: bootstrapped(r2_score, y, guess) for name, guess in guesses.items()}
aucs = {name: bootstrapped(auc, y, guess) for name, guess in guesses.items()}

print(f"{'untrained, one rate':<24}{'R2':>14}{'AUC':>14}")
for name in guesses:
    print(f"{name:<24}{told(r2s[name]):>14}{told(aucs[name]):>14}")

# %%
# Across architectures and sizes
# ------------------------------
#
# First within each kind, from the predictions above. Then of a kind that the predictor has never
# met, and of the largest quarter of the networks, predicted from the smaller ones.

unseen = cross_val_predict(aelle, untrained, y, groups=kinds, cv=LeaveOneGroupOut())
large = sizes > np.quantile(sizes, 0.75)
by_size = aelle.fit(untrained[~large], y[~large]).predict(untrained[large])

within, without = {}, {}
for kind in ("RNN", "GRU", "LSTM"):
    own = kinds == kind
    within[kind] = bootstrapped(r2_score, y[own], predicted[own])
    without[kind] = bootstrapped(r2_score, y[own], unseen[own])
size_unseen = bootstrapped(r2_score, y[large], by_size)
print(f"{'R2 within a kind':<20}{'kind seen':>14}{'kind not seen':>16}")
for kind in within:
    print(f"{kind:<20}{told(within[kind]):>14}{told(without[kind]):>16}")
print(f"{'largest quarter':<20}{'':>14}{told(size_unseen):>16}")

# %%
# How early
# ---------
#
# The same with the spectra after some epochs, for both populations. The rival is what anyone would
# look at: the validation loss at that epoch, which after the last epoch is the target itself. The
# dotted line is a Gaussian process that is told the
# hyper-parameters: kind, size, half-width and learning rate.


def held_out(predictor, X, name):
    """R2 of held-out networks, with its error."""
    guess = cross_val_predict(predictor, X, targets[name], cv=folds)
    return bootstrapped(r2_score, targets[name], guess)


curves = {}
for name, population in populations.items():
    for epoch in EPOCHS:
        loss_then = np.log(population.losses[:, [epoch]])
        spectrum = features[name, epoch]
        known = r2s["AeLLE"] if (name, epoch) == ("one rate", 0) else None
        curves[name, "AeLLE", epoch] = known or held_out(aelle, spectrum, name)
        curves[name, "loss", epoch] = held_out(spline, loss_then, name)
    parameters, _ = population.hyper_parameters()
    varying = parameters[:, parameters.std(axis=0) > 0]
    kernel = RBF(3.0, (0.3, 100)) + WhiteKernel(0.1, (1e-4, 10))
    process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
    told_all = make_pipeline(StandardScaler(), process)
    curves[name, "hyper-parameters"] = held_out(told_all, varying, name)

LINES = {"AeLLE": ("#0072B2", "-", "o"), "loss": ("#D55E00", "--", "s")}
figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True, layout="constrained")
for ax, name in zip(axes, populations, strict=True):
    for what, (colour, style, marker) in LINES.items():
        values, errors = np.transpose([curves[name, what, epoch] for epoch in EPOCHS])
        label = "AeLLE of the spectrum" if what == "AeLLE" else "validation loss then"
        look = {"c": colour, "ls": style, "marker": marker, "ms": 5, "capsize": 3}
        ax.errorbar(EPOCHS, values, errors, label=label, **look)
    ax.axhline(curves[name, "hyper-parameters"][0], color="0.3", ls=":", label="hyper-parameters")
    ax.set(title=f"Final loss foretold, {name}", xlabel="Epochs trained so far", ylim=(-0.2, 1.02))
axes[0].set_ylabel("R2 of held-out networks")
_ = axes[0].legend(fontsize="small", loc="lower right")

# %%
# Claims and numbers
# ------------------


def error_ratio(y, same, fresh):
    return np.sqrt(np.mean((fresh - y) ** 2) / np.mean((same - y) ** 2))


best_statistic = max(list(r2s)[1:], key=lambda name: r2s[name][0])
one, many = (
    {
        "AeLLE": [told(curves[name, "AeLLE", epoch]) for epoch in EPOCHS],
        "loss": [told(curves[name, "loss", epoch]) for epoch in EPOCHS],
    }
    for name in populations
)
rows = [
    ("good from poor, untrained", f"AUC {told(aucs['AeLLE'])}"),
    (
        "better than direct statistics",
        f"R2 {told(r2s['AeLLE'])}; best of four: {told(r2s[best_statistic])} ({best_statistic})",
    ),
    ("within each architecture", ", ".join(f"{k} {told(v)}" for k, v in within.items())),
    ("to a new architecture", ", ".join(f"{k} {told(v)}" for k, v in without.items())),
    ("to larger networks", f"R2 {told(size_unseen)}"),
    ("to new inputs", f"error x {told(bootstrapped(error_ratio, y, predicted, fresh))}"),
    ("forms early: epoch 0, one rate", f"R2 {one['AeLLE'][0]}; loss then {one['loss'][0]}"),
    ("the same after the last epoch", f"R2 {one['AeLLE'][-1]}"),
    ("forms early: epoch 0, many rates", f"R2 {many['AeLLE'][0]}; loss then {many['loss'][0]}"),
    ("the same at epoch 1", f"R2 {many['AeLLE'][1]}; loss then {many['loss'][1]}"),
    *(
        (f"(hyper-parameters, {name})", f"R2 {told(curves[name, 'hyper-parameters'])}")
        for name in populations
    ),
]
print(f"{'claim':<33} | here")
print("-" * 33 + "-+-" + "-" * 60)
for claim, here in rows:
    print(f"{claim:<33} | {here}")
print(f"\ninside their 90 % intervals: {display.coverage_:.0%}")

# %%
# What to make of it
# ------------------
#
# *Good from poor.* Yes. With one learning rate the spectra of untrained networks foretell most of
# the final loss, far more than any single statistic of them, and the intervals hold about what they
# promise. It works within each architecture but LSTMs, whose losses differ least: of these few it
# tells next to nothing.
#
# *Across architectures.* Only across those that were there to learn from. For a kind of layer that
# the predictor has not met it is hardly better than a guess, or far worse: the same spectrum means
# another performance. Larger networks than those seen are predicted well on this task.
#
# *New inputs.* Yes. Along sequences that nobody has seen the error is the same.
#
# *Early.* With one learning rate it is there from the start, when the loss itself says next to
# nothing. Later spectra are no better: the information about the final loss was in the initial
# weights, and the later loss overtakes the spectrum. With many learning rates an untrained spectrum
# says next to nothing, and cannot: the rate is not in the weights yet. After one epoch the spectrum
# has begun to notice, but the loss knows far better. Then put both into one predictor, with
# ``LearningCurveTransformer``, or use the spectrum where the rate is fixed.
#
# And one thing that the papers do not hold against it: a predictor that is told the
# hyper-parameters does better still on this task. The spectrum is of use where they are not known,
# or where they do not say all, as the seed of small networks.
#
# The large setting
# -----------------
#
# More networks sharpen everything: on this task with 150 networks, 12 epochs and more data the
# record is in ``benchmarks/RESULTS.md``, with five more tasks and five rivals. ``python
# benchmarks/prediction.py --directory networks --jobs 16`` runs it, and keeps networks and spectra.
# On a machine with a GPU, ``LyapunovSpectrumTransformer(sequences, device="cuda")`` and
# ``AeLLERegressor(device="cuda")`` work there, the first by itself where a GPU is found; nets of
# your own train there with ``task.net(device="cuda")``. Then take ``hidden_sizes=(64, 512)`` and
# some hundred networks.
