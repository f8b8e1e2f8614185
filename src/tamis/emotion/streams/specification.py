"""A stream in one word of the command line: ``whisper=whisper-tiny.en,layers=all,pool=4``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import get_args

from tamis.emotion.streams.encoder import LayerRule

OFFLINE_STREAMS = ("whisper=whisper-tiny.en,pool=2", "low_level=low-level,pool=2")
"""The streams of the preset ``tuned``: both work offline."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
WORDS = get_args(get_args(LayerRule)[0])


@dataclass(frozen=True)
class StreamSpecification:
    """A stream's name in the feature set, and how its encoder is opened (:func:`~tamis.emotion.streams.named.open_stream`)."""

    name: str
    encoder: str
    layers: LayerRule = "all"
    pool: int = 1
    window_s: float = 30.0


def parse_stream(text: str) -> StreamSpecification:
    """Read ``NAME=ENCODER[,layers=…][,pool=…][,window_s=…]``; without ``NAME=`` the encoder's last word is the name.

    Raises
    ------
    ValueError   for an unknown option, a number that is none, or a name that could not be a folder's.
    """
    head, *options = text.split(",")
    name, named, encoder = head.partition("=")
    if not named:
        name, encoder = head.rstrip("/").split("/")[-1], head
    given = dict(option.partition("=")[::2] for option in options)
    if not NAME.fullmatch(name) or not encoder or set(given) - {"layers", "pool", "window_s"}:
        raise ValueError(
            f"stream {text!r}: expected NAME=ENCODER, and after commas layers=all|last|last4|NUMBER, pool=NUMBER or "
            "window_s=SECONDS."
        )
    try:
        layers = given.get("layers", "all")
        rule: LayerRule = layers if layers in WORDS else int(layers)  # type: ignore[assignment]
        return StreamSpecification(
            name, encoder, rule, int(given.get("pool", 1)), float(given.get("window_s", 30.0))
        )
    except ValueError:
        raise ValueError(
            f"stream {text!r}: layers, pool and window_s want words or numbers that they know."
        ) from None
