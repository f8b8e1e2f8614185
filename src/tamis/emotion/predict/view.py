"""A prediction in the terminal: bars for the distribution, one line for the rest."""

from __future__ import annotations

import math

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tamis.emotion.predict.result import EmotionResult

BAR_WIDTH = 30
EIGHTHS = " ▏▎▍▌▋▊▉█"
SHOWN_MOMENTS = 40


def show(result: EmotionResult) -> RenderableType:
    """Something ``rich`` prints: title, bars by likelihood, disagreement, attributes, words, streams, timeline."""
    parts: list[RenderableType] = []
    if result.speech:
        parts += [bars(result), Text(certainty(result), style="dim")]
    if result.attributes:
        parts.append(
            Text("   ".join(f"{name} {value:.1f}" for name, value in result.attributes.items()) + "   (1-7)")
        )
    if result.transcript:
        parts.append(Text(f"“{result.transcript}”", style="italic"))
    if result.contributions:
        parts.append(contributions(result))
    if len(result.timeline) > 1:
        parts.append(timeline(result))
    parts += [Text(f"! {note}", style="yellow") for note in result.notes]
    title = Text(f"{result.source}  {result.duration_s:.1f} s  ").append(
        result.top or "no speech", style="bold"
    )
    return Panel(Group(*parts), title=title, title_align="left")


def bars(result: EmotionResult) -> Table:
    table = Table.grid(padding=(0, 1))
    for category, p in sorted(result.votes.items(), key=lambda item: -item[1]):
        style = "bold" if category == result.top else ""
        table.add_row(Text(category, style=style), Text(bar(p), style="cyan"), Text(f"{p:6.1%}", style=style))
    return table


def bar(share: float) -> str:
    eighths = round(share * BAR_WIDTH * 8)
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def certainty(result: EmotionResult) -> str:
    most = math.log(len(result.votes)) if len(result.votes) > 1 else 1.0
    return (
        f"two raters would disagree with probability {result.p_disagree:.0%}; "
        f"entropy {result.entropy:.2f} of {most:.2f} nats"
    )


def contributions(result: EmotionResult) -> Text:
    shares = ", ".join(f"{stream} {value:+.2f}" for stream, value in result.contributions.items())
    return Text(f"speaks for {result.top!r}: {shares}", style="dim")


def timeline(result: EmotionResult) -> Table:
    table = Table("from", "to", "", "", box=None, padding=(0, 1), header_style="dim")
    for moment in result.timeline[:SHOWN_MOMENTS]:
        top = max(moment.votes, key=moment.votes.__getitem__)
        p = moment.votes[top]
        table.add_row(clock(moment.start_s), clock(moment.end_s), top, Text(bar(p / 2), style="cyan"))
    if (rest := len(result.timeline) - SHOWN_MOMENTS) > 0:
        table.add_row("", "", f"… {rest} more windows (--json has all)", "")
    return table


def clock(second: float) -> str:
    return f"{int(second // 60):d}:{second % 60:04.1f}"
