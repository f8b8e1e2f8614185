"""Augmented variants of a recording by name: ``speed0.9``, ``tempo1.1``, ``voice1.12``, ``noise15`` (dB below the speech)."""

from __future__ import annotations

import hashlib
import re

import numpy as np

from tamis.emotion.signal import augment
from tamis.emotion.signal.sound import Samples

NAME = re.compile(r"(speed|tempo|voice|noise)(-?\d+(?:\.\d+)?)")
LIMITS = {"speed": (0.5, 2.0), "tempo": (0.5, 2.0), "voice": (0.5, 2.0), "noise": (-10.0, 60.0)}


def parse_variant(name: str) -> tuple[str, float]:
    """Kind and amount of a variant.

    Raises
    ------
    ValueError   for an unknown kind, or an amount out of its range.
    """
    match = NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"variant {name!r}: expected such as speed0.9, tempo1.1, voice1.12 or noise15.")
    kind, amount = match[1], float(match[2])
    low, high = LIMITS[kind]
    if not low <= amount <= high:
        raise ValueError(f"variant {name!r}: {kind} goes from {low:g} to {high:g}.")
    return kind, amount


def make_variant(samples: Samples, name: str, seed: str = "") -> Samples:
    """Apply a variant to a clip; the empty name leaves it as it is.

    Parameters
    ----------
    samples : ndarray, shape (n,), 16 kHz
    name : str
    seed : str
        Noise depends on this and on the name only, so that every run makes the same.
    """
    if not name:
        return samples
    kind, amount = parse_variant(name)
    if kind == "noise":
        number = int.from_bytes(hashlib.blake2b(f"{seed} {name}".encode(), digest_size=8).digest())
        return augment.noise(samples, amount, np.random.default_rng(number))
    return {"speed": augment.speed, "tempo": augment.tempo, "voice": augment.voice}[kind](samples, amount)
