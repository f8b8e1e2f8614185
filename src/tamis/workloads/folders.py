"""Workloads on disk: folders of .smtx patterns, laid out like DLMC, with one manifest for all."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from tamis.formats import CSR, read_smtx, write_smtx
from tamis.storage import written_beside
from tamis.workloads.dlmc import PATTERNS, SHAPES, SPARSITIES, Spec, cut, generate, unit_shape
from tamis.workloads.layers import divides, one_weight_per_role
from tamis.workloads.manifest import Manifest, describe

_VALUES_SEED = 0


def make_dlmc(
    folder: str | Path,
    *,
    shapes: Sequence[tuple[int, int]] = SHAPES,
    sparsities: Sequence[float] = SPARSITIES,
    patterns: Sequence[str] = PATTERNS,
    seeds: Sequence[int] = (0,),
    progress: Callable[[int, int, str], None] | None = None,
) -> Path:
    """Write DLMC-like matrices as ``FOLDER/<pattern>/<family>/<sparsity>/<name>.smtx``, and ``FOLDER/manifest.csv``.

    The family "variational" (dead rows and columns) is made for the unstructured pattern. N:M patterns come at their own
    sparsity only, and shapes that do not divide into a pattern's units are left out.

    Parameters
    ----------
    folder : str or Path
        Made where it does not exist; files of the same names are replaced.
    shapes, sparsities, patterns, seeds : sequences
        See :class:`tamis.workloads.dlmc.Spec`.
    progress : callable (done, total, name), optional
        Called after every matrix.

    Returns
    -------
    Path of the manifest: one line per matrix with its path, its spec and the fields of :class:`Manifest`.
    """
    planned = [
        _Planned(
            f"{_file_safe(spec.pattern)}/{spec.family}/{spec.sparsity:g}/{spec.name}.smtx",
            (spec.pattern, spec.family, f"{spec.sparsity:g}", spec.seed),
            partial(generate, spec),
        )
        for spec in _specs(shapes, sparsities, patterns, seeds)
    ]
    return _write(Path(folder), "seed", planned, progress)


def make_layers(
    folder: str | Path,
    model: nn.Module,
    family: str,
    *,
    sparsities: Sequence[float] = SPARSITIES,
    patterns: Sequence[str] = PATTERNS,
    progress: Callable[[int, int, str], None] | None = None,
) -> Path:
    """Write one linear layer per role of a model, cut by magnitude, laid out and listed as :func:`make_dlmc` does.

    Parameters
    ----------
    folder, sparsities, patterns, progress
        As for :func:`make_dlmc`.
    model : nn.Module
    family : str
        Names the folder of its layers.

    Returns
    -------
    Path of the manifest.
    """
    planned = [
        _Planned(
            f"{_file_safe(pattern)}/{family}/{target:g}/{layer}.smtx",
            (pattern, family, f"{target:g}", layer),
            partial(cut, weight, target, pattern),
        )
        for layer, weight in one_weight_per_role(model)
        for pattern in patterns
        if divides(weight, pattern)
        for target in _sparsities_of(pattern, sparsities)
    ]
    return _write(Path(folder), "layer", planned, progress)


@dataclass(frozen=True)
class _Planned:
    """A file to write: its place in the folder, its columns of the manifest, and how to make its weight."""

    where: str
    columns: tuple[object, ...]
    make: Callable[[], Tensor]


def _write(
    folder: Path,
    origin: str,
    planned: Sequence[_Planned],
    progress: Callable[[int, int, str], None] | None,
) -> Path:
    """Write the files and then their manifest, whose column ``origin`` says what each was made from."""
    manifest = folder / "manifest.csv"
    header = ["path", "pattern", "family", "target", origin, *(field.name for field in fields(Manifest))]
    with written_beside(manifest) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for done, one in enumerate(planned, start=1):
            weight = one.make()
            write_smtx(CSR.from_dense(weight), folder / one.where)
            facts = (f"{v:.6g}" if isinstance(v, float) else v for v in asdict(describe(weight)).values())
            writer.writerow([one.where, *one.columns, *facts])
            if progress:
                progress(done, len(planned), one.where)
    return manifest


@dataclass(frozen=True)
class PatternFile:
    """One .smtx file, and what its place in a DLMC-like tree says about it.

    Attributes
    ----------
    path : Path
    pattern : str
        Named by a folder above ("4x1", "2of4"); "unstructured" otherwise.
    target : float or None
        Named by a folder above ("0.9"); None otherwise.
    """

    path: Path
    pattern: str
    target: float | None

    def weight(self) -> Tensor:
        """Read the file as a dense float32 tensor (m, k); its values are normal numbers from a fixed seed."""
        return read_smtx(self.path, seed=_VALUES_SEED).to_dense()


def find_smtx(path: str | Path) -> list[PatternFile]:
    """List the .smtx files of a folder and of those inside it, or the one file given, sorted by path.

    Raises
    ------
    FileNotFoundError   if there is none.
    """
    root = Path(path)
    files = [root] if root.is_file() else sorted(root.rglob("*.smtx"))
    if not files:
        raise FileNotFoundError(f"find_smtx({str(path)!r}): no such file, or no .smtx file in that folder.")
    return [_placed(file, root) for file in files]


def _placed(file: Path, root: Path) -> PatternFile:
    pattern, target = "unstructured", None
    for part in file.relative_to(root.parent).parts[:-1]:
        pattern = _pattern_or(part, pattern)
        target = _fraction_or(part, target)
    return PatternFile(file, pattern, target)


def _pattern_or(name: str, otherwise: str) -> str:
    try:
        unit_shape(name.replace("of", ":"))
    except ValueError:
        return otherwise
    return name.replace("of", ":")


def _fraction_or(name: str, otherwise: float | None) -> float | None:
    try:
        value = float(name)
    except ValueError:
        return otherwise
    return value if 0 <= value < 1 else otherwise


def _file_safe(pattern: str) -> str:
    return pattern.replace(":", "of")


def _specs(
    shapes: Sequence[tuple[int, int]],
    sparsities: Sequence[float],
    patterns: Sequence[str],
    seeds: Sequence[int],
) -> Iterator[Spec]:
    for pattern in patterns:
        rows, cols = unit_shape(pattern)
        for m, k in shapes:
            if m % rows or k % cols:
                continue
            for sparsity in _sparsities_of(pattern, sparsities):
                for seed in seeds:
                    yield Spec(m, k, sparsity, pattern, "magnitude", seed)
                    if pattern == "unstructured":
                        yield Spec(m, k, sparsity, pattern, "variational", seed)


def _sparsities_of(pattern: str, sparsities: Sequence[float]) -> Sequence[float]:
    if ":" not in pattern:
        return sparsities
    n, m = map(int, pattern.split(":"))
    return (1 - n / m,)
