"""The picture of one spectrum."""

import io

from matplotlib.figure import Figure

from ..plotting import SpectrumDisplay


def spectrum_picture(spectrum, suffix):
    """A spectrum as the bytes of a .png, .pdf or .svg."""
    figure = Figure(figsize=(6.0, 4.0), layout="constrained")
    SpectrumDisplay.from_predictions([spectrum], ax=figure.subplots())
    image = io.BytesIO()
    figure.savefig(image, format=suffix.lower().removeprefix("."), dpi=150)
    return image.getvalue()
