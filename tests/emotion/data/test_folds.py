"""Folds: no speaker in two of them, sizes as equal as they come."""

import numpy as np
import pytest

from tamis.emotion.data.folds import speaker_folds


def test_folds_share_no_speaker() -> None:
    speakers = [f"s{i % 7}" for i in range(50)] + ["", ""]
    folds = speaker_folds(speakers, 3, seed=0)
    for name in set(speakers) - {""}:
        assert len({fold for fold, s in zip(folds, speakers, strict=True) if s == name}) == 1
    assert np.bincount(folds).max() - np.bincount(folds).min() <= 8
    assert set(folds) == {0, 1, 2}
    assert np.array_equal(folds, speaker_folds(speakers, 3, seed=0))
    assert not np.array_equal(folds, speaker_folds(speakers, 3, seed=1))
    with pytest.raises(ValueError, match="2 speaker"):
        speaker_folds(["a", "b"], 3, seed=0)
