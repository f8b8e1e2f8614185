"""Hands that build small trees of files, laid out as the corpora are."""

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def sound():
    """``sound(path, seconds=0.1, seed=0)``: a short noise recording at ``path``."""
    sf = pytest.importorskip("soundfile")

    def make(path: Path, seconds: float = 0.1, seed: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        sf.write(path, np.random.default_rng(seed).normal(0, 0.1, int(16_000 * seconds)), 16_000)
        return path

    return make


@pytest.fixture
def write():
    """``write(path, text)``: a text file in UTF-8."""

    def make(path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return make
