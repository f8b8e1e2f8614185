"""Section "memory": what a network run adds to a fresh process, against what it needs at least."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tamis.bench.voxel.rows import VoxelRow
from tamis.bench.voxel.scenes import coordinates
from tamis.voxel import Plan, VoxelTensor, networks, plan

#: (network, scene)
Cell = tuple[str, str]
GRIDS: dict[str, tuple[Cell, ...]] = {
    "quick": (("MinkUNet14", "street_0.10"),),
    "default": (("MinkUNet34", "street_0.05"), ("SparseResUNet42", "street_0.05")),
}
GRIDS["full"] = (*GRIDS["default"], ("SparseResNetLarge", "street_0.05"), ("MinkUNet34", "room_0.02"))
_CHANNELS = 4
_FLOAT = 4  # bytes
# glibc raises its own threshold to 32 MB, and then keeps freed blocks below it that larger tensors cannot use.
_ALLOCATORS = {"tamis": "", "tamis_blocks_returned": "glibc.malloc.mmap_threshold=4194304"}
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def measure(cell: Cell) -> Iterator[VoxelRow]:
    """Peak of a run from raw coordinates, in processes of their own, and the parts of what it needs at least."""
    name, scene = cell
    coords = coordinates(scene)
    blank = VoxelRow(
        section="memory",
        cell=f"{name}_{scene}",
        scene=scene,
        voxels=len(coords),
        contestant="tamis",
        kernel=name,
    )
    if not _CLEAR.exists():
        yield replace(blank, status="unavailable", note="needs Linux's /proc/self/clear_refs")
        return
    network = _network(name)
    made = plan(network, coords)
    with torch.no_grad():
        network(
            VoxelTensor(coords, torch.zeros(len(coords), _CHANNELS)), plan=made
        )  # makes cuts and coordinates
    need = replace(
        blank,
        weight_bytes=sum(tensor.nbytes for tensor in network.state_dict().values()),
        live_bytes=live_feature_bytes(made),
        nbytes=made.nbytes,
    )
    for contestant, tunables in _ALLOCATORS.items():
        detail = tunables or "the C library's malloc as it is"
        with _environment("GLIBC_TUNABLES", tunables), ProcessPoolExecutor(1, get_context("spawn")) as pool:
            peak = pool.submit(_peak_of_run, name, coords.numpy(), torch.get_num_threads()).result()
        yield replace(need, contestant=contestant, detail=detail, peak_bytes=peak)


def live_feature_bytes(made: Plan) -> int:
    """The largest sum of float32 features that a run must hold at one time, computed from its plan.

    Always the input; at a strided or transposed layer its input and output; at a submanifold layer its input and three tensors of its
    output's size (in a residual block's first layer: both convolutions' outputs and the projected shortcut); and the outputs
    of encoder stages that a later transposed layer comes back to.
    """
    sizes = [_sizes(made, number) for number in range(len(made.required.layers))]
    kept = _kept_for_decoder([record.kind for record in made.required.layers])
    waiting: list[int] = []
    most = 0
    for number, (record, (before, after)) in enumerate(zip(made.required.layers, sizes, strict=True)):
        if number in kept:
            waiting.append(before)
        own = before + (3 * after if record.kind == "submanifold" else after)
        most = max(most, sum(waiting) + own - (before if number in kept else 0))
        if record.kind == "transposed" and waiting:
            waiting.pop()
    return most + (sizes[0][0] if sizes else 0)


def _sizes(made: Plan, number: int) -> tuple[int, int]:
    """Bytes of a layer's input and output."""
    record = made.required.layers[number]
    found = made.maps[record.map.key, record.map.transposed]
    return _FLOAT * found.in_rows * record.c_in, _FLOAT * found.out_rows * record.c_out


def _kept_for_decoder(kinds: list[str]) -> set[int]:
    """Strided layers whose input a later transposed layer meets again: they pair like brackets."""
    unmatched: list[int] = []
    kept = set()
    for number, kind in enumerate(kinds):
        if kind == "strided":
            unmatched.append(number)
        elif kind == "transposed" and unmatched:
            kept.add(unmatched.pop())
    return kept


def _network(name: str) -> nn.Module:
    torch.manual_seed(0)
    made: nn.Module = getattr(networks, name)(_CHANNELS)
    return made.eval()


@torch.no_grad()
def _peak_of_run(name: str, coords: npt.NDArray[np.int32], threads: int) -> int:
    """Bytes by which resident memory rose at its highest, over that of a process that has run something small."""
    torch.set_num_threads(threads)
    tiny = torch.zeros(1, 4, dtype=torch.int32)
    networks.MinkUNet14(_CHANNELS, width=0.25).eval()(VoxelTensor(tiny, torch.zeros(1, _CHANNELS)))
    own = torch.from_numpy(coords.copy())
    before = _status("VmRSS")
    _CLEAR.write_text("5")  # the high-water mark starts again from here
    network = _network(name)
    network(VoxelTensor(own, torch.zeros(len(own), _CHANNELS)))
    return _status("VmHWM") - before


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """Children started in the block get ``name=value`` on top of their environment, unless the value is empty."""
    before = os.environ.get(name)
    if value:
        os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


def _status(field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    if found is None:
        raise RuntimeError(f"{_STATUS} has no line {field}.")
    return int(found[1]) * 1024
