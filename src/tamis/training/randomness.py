"""Randomness that can be taken up again: every draw belongs to a named place, not to a running stream.

A run that was killed starts its epoch anew; since the epoch's numbers depend on (seed, stage, epoch) alone, it draws what
the killed one drew.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def seed_from(*parts: int | str) -> int:
    """A 63-bit seed from any number of integers and names; the same on every machine and Python.

    >>> seed_from(0, "natural", 3) == seed_from(0, "natural", 3) != seed_from(0, "natural", 4)
    True
    """
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


@contextmanager
def seeded(*parts: int | str) -> Iterator[torch.Generator]:
    """Seed torch's global generators from ``parts``, and put them back afterwards.

    Yields a CPU generator of its own seed for draws that are made on the side (permutations, samples), so that a change
    in the number of those does not change the dropout masks.
    """
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed_from(*parts))
        yield torch.Generator().manual_seed(seed_from(*parts, "generator"))
