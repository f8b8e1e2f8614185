"""One style for all figures, drawn by matplotlib: SVG for pages, PNG for everywhere else."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamis.report.palette import COLOURS, INK, LIGHT, LINE, PAPER, SOFT
from tamis.storage import written_beside

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PIXELS_PER_INCH = 72  # of SVG: a figure's units are the page's pixels, and so are font sizes
_MARK = "mark:"


@contextmanager
def style() -> Iterator[None]:
    """The look of all figures, while they are drawn and saved.

    Raises
    ------
    ModuleNotFoundError   naming the extra, if matplotlib is missing.
    """
    try:
        import matplotlib
        from cycler import cycler
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            "figures need matplotlib: pip install 'tamis[report]'.", name=missing.name
        ) from missing
    look: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": "tamis",
        "font.family": "sans-serif",
        "font.size": 12,
        "text.color": INK,
        "axes.prop_cycle": cycler(color=COLOURS),
        "axes.axisbelow": True,
        "axes.edgecolor": LINE,
        "axes.facecolor": "none",
        "axes.grid": True,
        "axes.labelcolor": SOFT,
        "axes.labelpad": 7,
        "axes.labelsize": 12.5,
        "axes.spines.left": False,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 13,
        "axes.titleweight": "bold",
        "figure.constrained_layout.w_pad": 0.1,
        "figure.facecolor": PAPER,
        "grid.color": LINE,
        "legend.fontsize": 11.5,
        "legend.frameon": False,
        "xtick.color": SOFT,
        "xtick.major.pad": 8,
        "xtick.major.size": 0,
        "ytick.color": SOFT,
        "ytick.major.pad": 7,
        "ytick.major.size": 0,
    }
    with matplotlib.rc_context(look):
        yield


def figure(
    width: int, height: int, *, rows: int = 1, columns: int = 1, **layout: Any
) -> tuple[Figure, list[Axes]]:
    """A new figure, and its panels row by row; call it, draw and save within :func:`style`.

    Parameters
    ----------
    width, height : int
        Pixels of the page.
    rows, columns : int
        Of panels.
    **layout
        For ``Figure.subplots``, such as ``sharey=True``.
    """
    from matplotlib.figure import Figure

    made = Figure((width / _PIXELS_PER_INCH, height / _PIXELS_PER_INCH), layout="constrained")
    return made, list(made.subplots(rows, columns, squeeze=False, **layout).flatten())


def name_axes(axes: Axes, x: str, y: str) -> None:
    """Name both axes: x below, y above its upper end, where it is read without turning the head."""
    axes.set_xlabel(x)
    axes.set_title(y, fontsize=12.5, fontweight="normal", color=SOFT, pad=10)


def mark(artist: Artist, words: str) -> None:
    """Say what a part of the figure is: the page shows the words where the pointer rests on it."""
    artist.set_gid(_MARK + words)


def svg(drawn: Figure, label: str) -> str:
    """The figure as an ``<svg>`` element that loads nothing and follows the page's light and dark.

    Parameters
    ----------
    label : str
        What it shows, for those who cannot see it.
    """
    out = io.StringIO()
    drawn.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    _, _, width, height = re.search(r'viewBox="(\S+) (\S+) (\S+) (\S+)"', text).groups()  # type: ignore[union-attr]
    head = (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}" '
        f'style="max-width:{float(width):.0f}px">'
    )
    text = re.sub(r"<svg[^>]*>", head.replace("\\", r"\\"), text, count=1)
    text = re.sub(rf'<g id="{_MARK}([^"]*)">', r"<g><title>\1</title>", text)
    text = re.sub(r'<g id="[^"]*">', "<g>", text)  # the same in every figure, and unique in no page
    for name, colour in LIGHT.items():
        text = text.replace(colour, f"var(--{name})")
    return text


def save_figure(drawn: Figure, path: str | Path) -> None:
    """Write the figure as .png (160 dots per inch of 72 pixels) or .svg, whole or not at all.

    Raises
    ------
    ValueError   for another ending.
    """
    path = Path(path)
    if path.suffix not in (".png", ".svg"):
        raise ValueError(f"save_figure: {path.name!r} must end in .png or .svg.")
    with written_beside(path) as part:
        drawn.savefig(part, format=path.suffix[1:], dpi=160)
