"""The emotion timeline of a recording as a picture: shares of the categories over time, as PNG, SVG or one HTML page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tamis.emotion.predict.result import EmotionResult, Moment
from tamis.emotion.predict.view import clock
from tamis.report import (
    Cell,
    Figure,
    Paragraph,
    Part,
    Table,
    Title,
    figure,
    name_axes,
    percent,
    save_figure,
    style,
    svg,
    write_page,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

COLOURS = {
    "angry": "#c8373b",
    "sad": "#4a6fa5",
    "happy": "#e8b53a",
    "surprise": "#e2803f",
    "fear": "#7b5ea7",
    "disgust": "#6a8f3c",
    "contempt": "#8c6a4f",
    "neutral": "#b9b9b9",
    "calm": "#8fc1b5",
}
FURTHER = ("#5aa9a3", "#a35a7a", "#4f4f4f", "#c9a0dc", "#95b8d1")
SUFFIXES = (".png", ".svg", ".html")
STEPS = 600
_LABEL = "Shares of the emotion categories over time"


def plot_timeline(result: EmotionResult, path: str | Path) -> Path:
    """Draw the timeline of a prediction.

    Parameters
    ----------
    result : EmotionResult
        With speech.
    path : path
        Ends in ``.png``, ``.svg`` or ``.html``; the page holds picture, numbers and transcript, and needs nothing else.

    Raises
    ------
    ValueError   for another ending, or a recording without speech.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise ValueError(f"plot_timeline({path.name!r}): the name must end in {', '.join(SUFFIXES)}.")
    if not result.timeline:
        raise ValueError(f"plot_timeline: {result.source} holds no speech, so there is nothing to draw.")
    with style():
        drawn = draw(result)
        if path.suffix == ".html":
            write_page(path, result.source, page_parts(result, svg(drawn, _LABEL)))
        else:
            save_figure(drawn, path)
    return path


def shares_over_time(result: EmotionResult) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times (600,) and shares (600, C): the mean of the windows that hold each moment, NaN where nobody speaks."""
    times = np.linspace(0.0, result.duration_s, STEPS)
    votes = np.array([list(moment.votes.values()) for moment in result.timeline])
    spans = np.array([(moment.start_s, moment.end_s) for moment in result.timeline])
    inside = (times[:, None] >= spans[:, 0] - 1e-6) & (times[:, None] <= spans[:, 1] + 1e-6)
    counts = inside.sum(axis=1, keepdims=True)
    shares = np.where(counts > 0, inside @ votes / np.maximum(counts, 1), np.nan)
    return times, shares


def draw(result: EmotionResult) -> Drawing:
    """The shares of the categories over time, stacked; call it within :func:`tamis.report.style`."""
    times, shares = shares_over_time(result)
    categories = list(result.votes)
    drawn, (axes,) = figure(900, 320)
    axes.stackplot(times, np.nan_to_num(shares).T, colors=colours(categories), labels=categories, linewidth=0)
    axes.set_xlim(0.0, result.duration_s)
    axes.set_ylim(0.0, 1.0)
    axes.xaxis.set_major_formatter(lambda second, _: clock(second))
    axes.yaxis.set_major_formatter(lambda share, _: percent(share, 0))
    axes.grid(visible=False, axis="x")
    name_axes(axes, "time (min:s); empty = nobody speaks", "share of votes")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), reverse=True)
    return drawn


def colours(categories: Sequence[str]) -> list[str]:
    further = iter(FURTHER * len(categories))
    return [COLOURS.get(category) or next(further) for category in categories]


def page_parts(result: EmotionResult, picture: str) -> Iterator[Part]:
    """The page of a prediction: picture, certainty, transcript, and the shares of every window."""
    yield Title(result.source)
    yield Figure(picture)
    yield Paragraph(f"Two raters would disagree with probability {percent(result.p_disagree, 0)}.")
    if result.transcript:
        yield Paragraph(result.transcript, "quote")
    yield Table(["from", "to", *result.votes], map(_cells, result.timeline))


def _cells(moment: Moment) -> list[str | Cell]:
    times = (Cell(clock(second), second) for second in (moment.start_s, moment.end_s))
    return [*times, *(Cell(percent(share, 0), share) for share in moment.votes.values())]
