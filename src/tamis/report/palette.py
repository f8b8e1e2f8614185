"""The colours of pages and figures: named once here, light and dark, and used by both.

Figures are drawn in the light colours; in a page, each of these is replaced by its CSS variable, so that a figure follows the
reader's choice of light or dark.
"""

LIGHT = {
    "paper": "#fcfcfa",
    "ink": "#1d2125",
    "soft": "#626a72",
    "line": "#e2e5e3",
    "wash": "#f3f5f3",
    "safe": "#e3f1e9",
    "plain": "#7c858d",
    "a": "#0b6e4f",
    "b": "#b3541e",
    "c": "#4457a8",
    "d": "#8a6d00",
    "e": "#8b2f6b",
}
DARK = {
    "paper": "#15181a",
    "ink": "#e6e8e6",
    "soft": "#9aa3a9",
    "line": "#2d3236",
    "wash": "#1d2123",
    "safe": "#16332a",
    "plain": "#8d979e",
    "a": "#52c39a",
    "b": "#f0935a",
    "c": "#93a5f5",
    "d": "#d8b93c",
    "e": "#e58cc4",
}

PAPER, INK, SOFT, LINE = LIGHT["paper"], LIGHT["ink"], LIGHT["soft"], LIGHT["line"]
SAFE, PLAIN = LIGHT["safe"], LIGHT["plain"]

# Of series, in this order.
COLOURS = tuple(LIGHT[name] for name in "abcde")
