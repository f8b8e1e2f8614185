"""The voxel suite: kernel maps, layers, networks, their memory, and a stream of frames, ours and the peers'."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import tamis
from tamis.bench.measurement import csv_rows, this_machine
from tamis.bench.voxel import layers, maps, memory, networks
from tamis.bench.voxel.rows import VoxelRow

Section = Literal["maps", "scaling", "layers", "networks", "memory", "streaming"]
SECTIONS: tuple[Section, ...] = ("maps", "scaling", "layers", "networks", "memory", "streaming")
_SHARE_S = {"quick": 0.1, "default": 0.3, "full": 0.6}


@dataclass(frozen=True)
class Options:
    """What to measure, and where to leave it.

    Attributes
    ----------
    grid : {"quick", "default", "full"}
        About one minute, eight minutes, half an hour on two cores.
    sections : tuple of {"maps", "scaling", "layers", "networks", "memory", "streaming"}
    out : Path
        Folder of the CSV. Rows of earlier runs stay; the date tells them apart.
    """

    grid: Literal["quick", "default", "full"] = "default"
    sections: tuple[Section, ...] = SECTIONS
    out: Path = Path("tamis-bench")


@dataclass(frozen=True)
class Outcome:
    """The rows of this run, and the CSV that they were added to."""

    rows: list[VoxelRow]
    csv_path: Path


def run(options: Options, *, progress: Callable[[int, int, str], None] | None = None) -> Outcome:
    """Measure, cell by cell; the rows of a cell are written when it is done.

    Parameters
    ----------
    options : Options
    progress : callable (done, total, name of the next cell), optional
    """
    machine = this_machine(Path(tamis.__file__).parent)
    path = options.out / f"voxel_{options.grid}_{machine.device}_{machine.isa}_{machine.threads}t.csv"
    csv_rows.check_can_append(path, VoxelRow)
    cells = list(_cells(options))
    rows: list[VoxelRow] = []
    for done, (name, measure) in enumerate(cells):
        if progress:
            progress(done, len(cells), name)
        of_cell = [row.on(machine) for row in measure()]
        csv_rows.append(path, VoxelRow, of_cell)
        rows += of_cell
    if progress:
        progress(len(cells), len(cells), "")
    return Outcome(rows, path)


def _cells(options: Options) -> Iterator[tuple[str, Callable[[], Iterable[VoxelRow]]]]:
    share_s = _SHARE_S[options.grid]
    for section in options.sections:
        match section:
            case "maps":
                for cell in maps.GRIDS[options.grid]:
                    yield f"map {cell}", partial(maps.measure, cell, share_s)
            case "scaling":
                for scene in maps.SCALING[options.grid]:
                    yield f"map {scene}", partial(maps.scaling, scene, share_s)
            case "layers":
                for layer in layers.GRIDS[options.grid]:
                    yield f"layer {layer}", partial(layers.measure, layer, share_s)
            case "networks":
                for network in networks.GRIDS[options.grid]:
                    yield f"network {network}", partial(networks.measure, network, share_s)
            case "memory":
                for network in memory.GRIDS[options.grid]:
                    yield f"memory {network}", partial(memory.measure, network)
            case "streaming":
                frames = networks.FRAMES[options.grid]
                yield "streaming", partial(networks.stream, "SparseResNet21D", frames)
