"""Overlapping windows over the speech of a long recording: what the recogniser predicts one by one."""

from __future__ import annotations

from collections.abc import Sequence

from tamis.emotion.signal.vad import Segment


def plan_windows(
    speech: Sequence[Segment], duration_s: float, window_s: float, hop_s: float, shortest_s: float = 1.0
) -> list[Segment]:
    """Windows of at most ``window_s`` that together cover all speech and hold little else.

    Parameters
    ----------
    speech : sequence of (start_s, end_s)
        In order, apart.
    duration_s : float
        Length of the recording.
    window_s, hop_s : float
        Length of a window, and from one window's start to the next one's in a long stretch; ``0 < hop_s <= window_s``.
    shortest_s : float
        Shorter stretches are widened to this, as far as the recording goes.

    Returns
    -------
    list of (start_s, end_s)
        In order of their starts. The windows of a long stretch are spread evenly, so that its end is not a sliver.
    """
    if not 0 < hop_s <= window_s:
        raise ValueError(f"plan_windows: hop_s={hop_s}, window_s={window_s}; expected 0 < hop_s <= window_s.")
    windows: list[Segment] = []
    for start_s, end_s in merge_segments(speech, window_s):
        start_s, end_s = widened(start_s, end_s, min(shortest_s, window_s), duration_s)
        extra_s = end_s - start_s - window_s
        steps = 0 if extra_s <= 0 else -int(-extra_s // hop_s)
        length_s = min(window_s, end_s - start_s)
        for step in range(steps + 1):
            at_s = start_s + (extra_s * step / steps if steps else 0.0)
            windows.append((at_s, at_s + length_s))
    return windows


def merge_segments(speech: Sequence[Segment], window_s: float) -> list[Segment]:
    """Neighbouring stretches put together while they fit into one window."""
    groups: list[Segment] = []
    for start_s, end_s in speech:
        if groups and end_s - groups[-1][0] <= window_s:
            groups[-1] = (groups[-1][0], end_s)
        else:
            groups.append((start_s, end_s))
    return groups


def widened(start_s: float, end_s: float, shortest_s: float, duration_s: float) -> Segment:
    missing_s = max(0.0, shortest_s - (end_s - start_s)) / 2
    start_s, end_s = start_s - missing_s, end_s + missing_s
    shift_s = max(0.0, -start_s) - max(0.0, end_s - duration_s)
    return max(0.0, start_s + shift_s), min(duration_s, end_s + shift_s)
