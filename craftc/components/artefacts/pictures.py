"""Draws the pictures of artefacts as PNG, with matplotlib."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

DPI = 120
MOST_WRITTEN = 12
"""Rows of a matrix up to which the numbers are written into it."""


def new_figure(width: float, height: float) -> Any:
    """A figure of so many inches, without a window or a global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def png(figure: Any) -> bytes:
    """The bytes of a figure: the same for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def matrix_picture(
    shares: NDArray[np.float64], written: NDArray[Any], names: Sequence[str], *, across: str, down: str
) -> bytes:
    """A square matrix of shares from 0 to 1 as shades; up to 12 rows have what is `written` in each place."""
    num_rows = len(shares)
    size = min(2.0 + 0.5 * num_rows, 12.0)
    figure = new_figure(size + 0.6, size)
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xlabel(across)
    axes.set_ylabel(down)
    if num_rows <= 60:
        axes.set_xticks(range(num_rows), names, rotation=90)
        axes.set_yticks(range(num_rows), names)
    if num_rows <= MOST_WRITTEN:
        for (row, column), share in np.ndenumerate(shares):
            colour = "white" if share > 0.5 else "black"
            axes.text(column, row, str(written[row, column]), ha="center", va="center", color=colour, fontsize=8)
    return png(figure)
