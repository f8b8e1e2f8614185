"""Colours of labels, the same in every picture and page."""

import colorsys
from collections.abc import Sequence

Colour = tuple[int, int, int]

_KNOWN: dict[str, Colour] = {
    "road": (148, 103, 189),
    "sidewalk": (244, 162, 97),
    "terrain": (149, 189, 96),
    "building": (233, 196, 106),
    "vegetation": (42, 157, 85),
    "pole": (255, 240, 245),
    "vehicle": (69, 160, 230),
    "pedestrian": (230, 57, 70),
    "floor": (148, 103, 189),
    "wall": (233, 196, 106),
    "furniture": (69, 160, 230),
}
#: Points without a class.
UNLABELLED: Colour = (110, 110, 110)


def label_colours(names: Sequence[str]) -> list[Colour]:
    """One colour per name: fixed for known classes, spread over the hues for others."""
    return [_KNOWN.get(name) or _hue(position) for position, name in enumerate(names)]


def _hue(position: int) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(position * 0.618034 % 1.0, 0.65, 0.9)
    return round(red * 255), round(green * 255), round(blue * 255)
