"""Folders of ``save_sparse``: the manifest and the tensors beside it."""

import functools
import random
import tempfile
from pathlib import Path

import torch
from torch import nn

from tamis.models import load_sparse, save_sparse
from tamis.nn import SparseLinear

from .judge import Call, Target
from .matrices import any_format
from .mutation import mutated


@functools.cache
def saved(kind: int) -> dict[str, bytes]:
    rng = random.Random(kind)
    model = nn.Sequential(SparseLinear(any_format(rng)), nn.LayerNorm(8), nn.Linear(8, 3))
    with tempfile.TemporaryDirectory() as folder:
        save_sparse(model, folder)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}


def saved_model(rng: random.Random, folder: Path) -> Call:
    files = saved(rng.randrange(8))
    hit = rng.choice(sorted(files))
    for name, content in files.items():
        if name != hit or rng.random() < 0.9:
            (folder / name).write_bytes(mutated(rng, content) if name == hit else content)

    def call() -> None:
        model = load_sparse(
            folder, nn.Sequential(nn.Linear(16, 8, bias=False), nn.LayerNorm(8), nn.Linear(8, 3))
        )
        with torch.no_grad():
            assert model(torch.ones(2, 16)).shape == (2, 3)

    return call


TARGETS = (Target("saved_model", saved_model, (ValueError, OSError)),)
