"""Which utterances an epoch sees: all of them, or as many of each category, and as many ambiguous ones."""

import numpy as np
import numpy.typing as npt
import torch

from tamis.emotion.data import Rows


def natural(rows: Rows, generator: torch.Generator) -> Rows:
    """All rows, shuffled."""
    shuffled: Rows = rows[torch.randperm(len(rows), generator=generator).numpy()]
    return shuffled


def balanced(rows: Rows, consensus: npt.NDArray[np.int64], generator: torch.Generator) -> Rows:
    """As many rows of every category as the rarest has, and as many ambiguous ones: the ninth share.

    Parameters
    ----------
    rows : shape (N,)
        Candidates.
    consensus : shape (N,)
        Their categories; negative = no agreement among the raters.
    generator : torch.Generator
        All shares are drawn from it, so that another epoch sees other rows.

    Returns
    -------
    Rows in random order. Categories without a row are left out; the ambiguous share may be smaller than the others.
    """
    kinds = [rows[consensus == category] for category in np.unique(consensus[consensus >= 0])]
    if not kinds:
        raise ValueError(
            f"balanced: none of the {len(rows)} rows has an agreed category; nothing can be balanced."
        )
    smallest = min(len(kind) for kind in kinds)
    shares = [natural(kind, generator)[:smallest] for kind in (*kinds, rows[consensus < 0])]
    return natural(np.concatenate(shares), generator)


def bucketed(
    rows: Rows, lengths: npt.NDArray[np.int64], batch_size: int, generator: torch.Generator
) -> list[Rows]:
    """Cut shuffled rows into batches of like length, so that little is padded; the batches' order is random.

    Rows are sorted within windows of 16 batches: likes meet, and yet no two epochs have the same batches.
    """
    window = 16 * batch_size
    batches: list[Rows] = []
    for start in range(0, len(rows), window):
        part = rows[start : start + window]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches += [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]
