"""Prune a model, make it sparse where that pays, save it, load it, and check that nothing changed.

python examples/sparse_model.py FOLDER
"""

import sys

import torch
from torch import nn

import tamis


def build() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(256, 1024), nn.GELU(), nn.Linear(1024, 256), nn.LayerNorm(256), nn.Linear(256, 10)
    )


def main(folder: str) -> None:
    model, x = build().eval(), torch.randn(128, 256)

    # 1. Zeros: the smallest 90 % of each layer's column vectors of four weights; the last layer keeps all of its own.
    print(tamis.prune(model, sparsity=0.9, pattern="4x1", where=lambda name, layer: name != "4"))

    # 2. Kernels: each layer timed on this machine, dense against sparse, for the 128 rows of x.
    print(tamis.sparsify(model, x))

    # 3. To disk and back: the skeleton gives the code, the folder the numbers.
    tamis.save_sparse(model, folder)
    loaded = tamis.load_sparse(folder, build().eval())

    with torch.no_grad():
        assert torch.equal(loaded(x), model(x))
    print(f"saved to {folder}, loaded, and equal bit for bit")


if __name__ == "__main__":
    main(sys.argv[1])
