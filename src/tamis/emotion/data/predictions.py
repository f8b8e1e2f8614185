"""Predicted distributions and attributes of many utterances, as a table that says which split each row was in."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tamis.emotion.corpora import ATTRIBUTES
from tamis.storage import written_beside


@dataclass(frozen=True)
class Predictions:
    """What a model predicts of utterances.

    Attributes
    ----------
    utterances, splits : array of str, shape (N,)
        Split is ``out_of_fold``, ``development``, ``test``, …: what the row was to the model that predicted it.
    categories : tuple of str
    probabilities : shape (N, C)
    attributes : shape (N, 3)
        Valence, arousal, dominance; NaN where the model has none.
    """

    utterances: npt.NDArray[np.object_]
    splits: npt.NDArray[np.object_]
    categories: tuple[str, ...]
    probabilities: npt.NDArray[np.float64]
    attributes: npt.NDArray[np.float64]

    def write(self, path: Path) -> None:
        """Write a parquet table: ``utterance``, ``split``, ``p/<category>``, ``valence``, ``arousal``, ``dominance``."""
        columns: dict[str, npt.NDArray[Any]] = {"utterance": self.utterances, "split": self.splits}
        columns |= {f"p/{name}": self.probabilities[:, i] for i, name in enumerate(self.categories)}
        columns |= {name: self.attributes[:, i] for i, name in enumerate(ATTRIBUTES)}
        with written_beside(path) as part:
            pd.DataFrame(columns).to_parquet(part, index=False)

    @staticmethod
    def read(path: Path) -> "Predictions":
        table = pd.read_parquet(path)
        names = [name for name in table.columns if name.startswith("p/")]
        return Predictions(
            table["utterance"].to_numpy(dtype=object),
            table["split"].to_numpy(dtype=object),
            tuple(name.removeprefix("p/") for name in names),
            table[names].to_numpy(dtype=np.float64),
            table[list(ATTRIBUTES)].to_numpy(dtype=np.float64),
        )

    def of_split(self, *splits: str) -> "Predictions":
        return self._take(np.flatnonzero(np.isin(self.splits, splits)))

    def of_utterances(self, utterances: Sequence[str]) -> "Predictions":
        """Rows in the order of ``utterances``; one that was not predicted, or twice, is an error."""
        places = {name: i for i, name in enumerate(self.utterances)}
        if len(places) < len(self.utterances):
            raise ValueError("Predictions: an utterance stands in the table twice; choose a split first.")
        if missing := [name for name in utterances if name not in places]:
            raise ValueError(
                f"Predictions: {len(missing)} utterance(s) were not predicted, {missing[0]!r} among them."
            )
        return self._take(np.array([places[name] for name in utterances], dtype=np.int64))

    def _take(self, rows: npt.NDArray[np.int64]) -> "Predictions":
        return Predictions(
            self.utterances[rows],
            self.splits[rows],
            self.categories,
            self.probabilities[rows],
            self.attributes[rows],
        )


def concatenated(parts: Sequence[Predictions]) -> Predictions:
    """Tables one below the other."""
    return Predictions(
        np.concatenate([p.utterances for p in parts]),
        np.concatenate([p.splits for p in parts]),
        parts[0].categories,
        np.concatenate([p.probabilities for p in parts]),
        np.concatenate([p.attributes for p in parts]),
    )
