"""Feature sets drawn from seeds: what training, tests and examples run on where there is no corpus.

Every utterance has a hidden category, which shows as a direction in each stream's frames, louder in the middle of the
utterance, beneath the speaker's own offset and noise. Raters see the category through a shared confusion, so that some
utterances have no agreement. Scores on such a set say that code works, and nothing about speech.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from tamis.emotion.corpora import ATTRIBUTES, CATEGORIES, OTHER
from tamis.emotion.data.feature_set import FeatureSet, StreamInfo, write_index, write_stream


@dataclass(frozen=True)
class SynthRecipe:
    """Sizes and difficulty of a synthetic feature set.

    Parameters
    ----------
    speakers, utterances : int
        Speakers, and utterances of each.
    categories : tuple of str
    streams : mapping of str to StreamInfo
    raters : int
        Per utterance.
    clarity : float
        Length of the category's direction, in standard deviations of the noise.
    agreement : float
        Probability that a rater names the hidden category; else any other, or "other".
    missing : float
        Share of utterances without the last stream.
    splits : tuple of (str, float)
        Names, and shares of the speakers.
    """

    speakers: int = 12
    utterances: int = 20
    categories: tuple[str, ...] = CATEGORIES
    streams: Mapping[str, StreamInfo] = field(
        default_factory=lambda: {"audio": StreamInfo(12, layers=3), "text": StreamInfo(8)}
    )
    raters: int = 5
    clarity: float = 2.0
    agreement: float = 0.7
    missing: float = 0.05
    splits: tuple[tuple[str, float], ...] = (("train", 0.5), ("development", 0.25), ("test", 0.25))


def write_synthetic(folder: Path, recipe: SynthRecipe | None = None, seed: int = 0) -> FeatureSet:
    """Write a synthetic feature set; the same recipe and seed give the same files."""
    recipe = recipe or SynthRecipe()
    rng = np.random.default_rng(seed)
    directions = {
        name: rng.standard_normal((len(recipe.categories), info.dim)) for name, info in recipe.streams.items()
    }
    moods = rng.uniform(2, 6, (len(recipe.categories), len(ATTRIBUTES)))
    rows = []
    for speaker in range(recipe.speakers):
        offsets = {name: rng.standard_normal(info.dim) for name, info in recipe.streams.items()}
        for number in range(recipe.utterances):
            category = int(rng.integers(len(recipe.categories)))
            row: dict[str, str | float] = {
                "utterance": f"s{speaker:03d}_u{number:03d}",
                "speaker": f"s{speaker:03d}",
            }
            row |= {"split": _split(recipe, speaker), "gender": "fm"[speaker % 2]}
            row |= _votes(recipe, category, rng) | _ratings(moods[category], rng)
            row |= _streams(folder, recipe, str(row["utterance"]), directions, offsets, category, rng)
            rows.append(row)
    write_index(folder, pd.DataFrame(rows), recipe.categories, recipe.streams)
    return FeatureSet(folder)


def _split(recipe: SynthRecipe, speaker: int) -> str:
    shares = np.cumsum([share for _, share in recipe.splits])
    place = int(np.searchsorted(shares, (speaker + 0.5) / recipe.speakers))
    return recipe.splits[min(place, len(shares) - 1)][0]


def _votes(recipe: SynthRecipe, category: int, rng: np.random.Generator) -> dict[str, float]:
    names = (*recipe.categories, OTHER)
    chances = np.full(len(names), (1 - recipe.agreement) / (len(names) - 1))
    chances[category] = recipe.agreement
    return {
        f"votes/{name}": float(n)
        for name, n in zip(names, rng.multinomial(recipe.raters, chances), strict=True)
    }


def _ratings(mood: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    rated = np.clip(mood + 0.5 * rng.standard_normal(len(mood)), 1, 7)
    return dict(zip(ATTRIBUTES, rated.tolist(), strict=True))


def _streams(
    folder: Path,
    recipe: SynthRecipe,
    utterance: str,
    directions: Mapping[str, np.ndarray],
    offsets: Mapping[str, np.ndarray],
    category: int,
    rng: np.random.Generator,
) -> dict[str, str | float]:
    cells: dict[str, str | float] = {}
    for place, (name, info) in enumerate(recipe.streams.items()):
        length = int(rng.integers(4, 20))
        shape = (info.layers or 1, length, info.dim)
        loudness = np.sin(np.pi * (np.arange(length) + 0.5) / length)[:, None]
        clean = recipe.clarity * directions[name][category] / np.sqrt(info.dim) * loudness + offsets[name]
        frames = torch.from_numpy(clean + rng.standard_normal(shape)).float()
        hidden = place == len(recipe.streams) - 1 and rng.random() < recipe.missing
        path = "" if hidden else write_stream(folder, name, utterance, frames if info.layers else frames[0])
        cells |= {f"stream/{name}": path, f"frames/{name}": 0 if hidden else length}
    return cells
