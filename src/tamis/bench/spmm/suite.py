"""The SpMM suite: sparse × dense products, ours and the peers', on generated, real and given matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from time import monotonic

from tamis.bench.measurement import Machine, this_machine
from tamis.bench.spmm import rows
from tamis.bench.spmm.cell import Cell, run_cell
from tamis.bench.spmm.grids import Grid, Job, file_jobs, jobs, layer_jobs
from tamis.bench.spmm.rows import CellKey, Row
from tamis.workloads import describe, find_smtx

_SHARE_S = {"quick": 0.06, "default": 0.1, "full": 0.05, "int8": 0.05}


@dataclass(frozen=True)
class Options:
    """What to measure, and where to leave it.

    Attributes
    ----------
    grid : {"quick", "default", "full", "int8"}
        How many cells: about a minute, ten minutes, an hour on two cores. "int8" asks another question, in five minutes:
        8-bit products against dense ones in 8 and 16 bits.
    out : Path
        Folder of the CSV (and of the page that :mod:`tamis.bench.spmm.results.report` makes of it).
    smtx : tuple of Path
        Folders or files of .smtx patterns. Where given, they are measured instead of the grid.
    lengths : tuple of int
        Columns of B for .smtx patterns.
    max_seconds : float, optional
        Start no cell after this; the same call goes on later.
    fresh : bool
        Begin anew instead of going on from the CSV that is there.
    """

    grid: Grid = "default"
    out: Path = Path("tamis-bench")
    smtx: tuple[Path, ...] = ()
    lengths: tuple[int, ...] = (128,)
    max_seconds: float | None = None
    fresh: bool = False

    @property
    def command(self) -> str:
        """The command line that measures the same cells."""
        words = ["tamis bench spmm", *([] if self.grid == "default" else [f"--{self.grid}"])]
        words += [f"--smtx {path}" for path in self.smtx]
        words += [f"-n {n}" for n in self.lengths if self.smtx]
        return " ".join(words)

    def csv_path(self, machine: Machine) -> Path:
        """One file per grid, ISA and thread count, so that results of several settings stand side by side."""
        what = "files" if self.smtx else self.grid
        return self.out / f"spmm_{what}_{machine.device}_{machine.isa}_{machine.threads}t.csv"


@dataclass(frozen=True)
class Progress:
    """How far a run is: cells done of all, those of them found in the CSV, and the cell that comes next."""

    done: int
    total: int
    resumed: int
    current: str


@dataclass(frozen=True)
class Outcome:
    """What a run leaves: the rows of all its cells so far, their CSV, and whether cells are missing."""

    rows: list[Row]
    csv_path: Path
    missing: int


def run(options: Options, *, progress: Callable[[Progress], None] | None = None) -> Outcome:
    """Measure the cells of ``options``, each appended to the CSV when it is done.

    A run that was killed, or stopped by ``max_seconds``, goes on when called again: cells whose rows are complete, and
    were measured with the same CPU and thread count, are not measured again, whatever version of the code made them (the
    column ``build`` tells). A cell whose rows are incomplete is measured again.

    Parameters
    ----------
    options : Options
    progress : callable, optional
        Called before every cell and at the end.

    Returns
    -------
    Outcome

    Raises
    ------
    FileNotFoundError   if an ``smtx`` path holds none.
    ValueError          if the CSV there was written by a version with other columns.
    """
    machine = this_machine()
    planned = list(_planned(options))
    path = options.csv_path(machine)
    before = [] if options.fresh else rows.read(path)
    expected = {_key(cell, machine): _names(job) for job in planned for cell in job.cells}
    kept = [row for row in before if row.cell_key in _complete(before, expected)]
    rows.replace(path, kept)
    found = _measure(planned, machine, {row.cell_key for row in kept}, path, options, progress)
    mine = [row for row in kept + found if row.cell_key in expected]
    return Outcome(mine, path, len(expected) - len({row.cell_key for row in mine}))


def _measure(
    planned: Sequence[Job],
    machine: Machine,
    finished: set[CellKey],
    path: Path,
    options: Options,
    progress: Callable[[Progress], None] | None,
) -> list[Row]:
    """Run the cells that are not finished, as far as time goes; returns their rows."""
    deadline = inf if options.max_seconds is None else monotonic() + options.max_seconds
    total, resumed, found = sum(len(job.cells) for job in planned), 0, []
    done = 0
    for job in planned:
        missing = [cell for cell in job.cells if _key(cell, machine) not in finished]
        resumed += len(job.cells) - len(missing)
        done += len(job.cells) - len(missing)
        if not missing or monotonic() >= deadline:
            continue
        weight = job.make()
        manifest = describe(weight)
        for cell in missing:
            if monotonic() >= deadline:
                break
            if progress:
                progress(Progress(done, total, resumed, cell.key))
            of_cell = run_cell(
                cell, weight, manifest, job.contestants, machine, share_s=_SHARE_S[options.grid]
            )
            rows.append(path, of_cell)
            found += of_cell
            done += 1
    if progress:
        progress(Progress(done, total, resumed, ""))
    return found


def _complete(before: Sequence[Row], expected: Mapping[CellKey, set[str]]) -> set[CellKey]:
    """The cells that have a row of every contestant; those of other plans or machines are left as they are."""
    present: dict[CellKey, set[str]] = {}
    for row in before:
        present.setdefault(row.cell_key, set()).add(row.contestant)
    return {key for key, names in present.items() if names >= expected.get(key, set())}


def _key(cell: Cell, machine: Machine) -> CellKey:
    return cell.section, cell.key, machine.device, machine.cpu, "float32", machine.threads


def _names(job: Job) -> set[str]:
    return {contestant.name for contestant in job.contestants}


def _planned(options: Options) -> Iterator[Job]:
    if options.smtx:
        for path in options.smtx:
            yield from file_jobs(find_smtx(path), options.lengths)
        return
    yield from jobs(options.grid)
    yield from _minilm_jobs(options.grid)


def _minilm_jobs(grid: Grid) -> Iterator[Job]:
    """The layers of MiniLM, where the extra that brings its weights is installed."""
    from tamis.pretrained import load_minilm

    try:
        model = load_minilm().model
    except ModuleNotFoundError:
        return
    yield from layer_jobs(model, "minilm", grid)
