"""The emotion timeline of a recording as a picture: shares of the categories over time, as PNG, SVG or one HTML page."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tamis.emotion.predict.result import EmotionResult
from tamis.emotion.predict.view import clock

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
    figure = draw(result)
    if path.suffix == ".html":
        path.write_text(page(result, picture(figure)), encoding="utf-8")
    else:
        figure.savefig(path, dpi=120)
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


def draw(result: EmotionResult) -> Figure:
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    times, shares = shares_over_time(result)
    categories = list(result.votes)
    figure = Figure(figsize=(9.0, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.stackplot(times, np.nan_to_num(shares).T, colors=colours(categories), labels=categories, linewidth=0)
    axes.set_xlim(0.0, result.duration_s)
    axes.set_ylim(0.0, 1.0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda second, _: clock(second)))
    axes.set_xlabel("time (min:s); white = nobody speaks")
    axes.set_ylabel("share of votes")
    axes.set_title(result.source, loc="left", fontsize=10)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, reverse=True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure


def colours(categories: Sequence[str]) -> list[str]:
    further = iter(FURTHER * len(categories))
    return [COLOURS.get(category) or next(further) for category in categories]


def picture(figure: Figure) -> str:
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=120)
    return base64.b64encode(data.getvalue()).decode("ascii")


def page(result: EmotionResult, image: str) -> str:
    rows = "".join(
        f"<tr><td>{clock(m.start_s)}</td><td>{clock(m.end_s)}</td>"
        + "".join(f"<td>{share:.0%}</td>" for share in m.votes.values())
        + "</tr>"
        for m in result.timeline
    )
    heads = "".join(f"<th>{html.escape(c)}</th>" for c in result.votes)
    said = f"<p><q>{html.escape(result.transcript)}</q></p>" if result.transcript else ""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(result.source)}</title>'
        "<style>body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "img{width:100%}table{border-collapse:collapse}td,th{padding:.15rem .7rem;text-align:right}</style>"
        f"<h1>{html.escape(result.source)}</h1>"
        f'<img alt="Shares of the emotion categories over time" src="data:image/png;base64,{image}">'
        f"<p>Two raters would disagree with probability {result.p_disagree:.0%}.</p>{said}"
        f"<table><tr><th>from</th><th>to</th>{heads}</tr>{rows}</table></html>\n"
    )
