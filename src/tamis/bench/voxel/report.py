"""The voxel suite's figures in words, tables and one plot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import geometric_mean
from typing import TYPE_CHECKING

from tamis.bench.voxel.rows import VoxelRow
from tamis.report import PLAIN, figure, save_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing


def markdown(rows: Sequence[VoxelRow], command: str) -> str:
    """A page: where it ran, one table per section, and what was not timed."""
    first = rows[0]
    lines = [
        "# Voxel suite",
        "",
        f"{first.cpu}, {first.isa}, {first.threads} threads, float32, {first.date}. {first.versions}.",
        f"`{command}`",
        "",
        *_maps(_of(rows, "maps")),
        *_kernel_sizes(_of(rows, "maps")),
        *_scaling(_of(rows, "scaling")),
        *_layers(_of(rows, "layers")),
        *_networks(_of(rows, "networks")),
        *_ideas(rows),
        *_memory(_of(rows, "memory")),
        *_streaming(_of(rows, "streaming")),
        *_not_timed(rows),
    ]
    return "\n".join(lines) + "\n"


def verdict(rows: Iterable[VoxelRow]) -> str:
    """One line: how many times as long as ours the others take, geometric mean over the cells."""
    ratios: dict[str, list[float]] = {}
    for row in rows:
        if row.section in ("maps", "layers") and row.ratio and not row.contestant.startswith("tamis"):
            ratios.setdefault(f"{row.contestant} ({row.section})", []).append(row.ratio)
    return ", ".join(f"{name} {geometric_mean(values):.1f}x ours" for name, values in sorted(ratios.items()))


def save_plot(rows: Sequence[VoxelRow], path: Path) -> None:
    """Bars per layer: useful GFLOP/s of every contestant, and the machine's FMA peak."""
    layers = [row for row in _of(rows, "layers") if row.gflops and not row.contestant.startswith("reference")]
    cells = list(dict.fromkeys(row.cell for row in layers))
    names = list(dict.fromkeys(row.contestant for row in layers))
    with style():
        save_figure(_bars(layers, cells, names), path)


def _bars(layers: Sequence[VoxelRow], cells: Sequence[str], names: Sequence[str]) -> Drawing:
    drawn, (axes,) = figure(max(430, 54 * len(cells) + 200), 340)
    width = 0.8 / max(1, len(names))
    for position, name in enumerate(names):
        found = {row.cell: row.gflops or 0.0 for row in layers if row.contestant == name}
        places = [x + (position - (len(names) - 1) / 2) * width for x in range(len(cells))]
        axes.bar(places, [found.get(cell, 0.0) for cell in cells], width, label=name)
    if layers and layers[0].peak_gflops:
        axes.axhline(layers[0].peak_gflops, color=PLAIN, lw=1, ls=(0, (4, 3)), label="FMA peak")
    axes.set_xticks(range(len(cells)), cells, rotation=40, ha="right", fontsize=10)
    axes.set_ylabel("useful GFLOP/s")
    axes.grid(visible=False, axis="x")
    drawn.legend(loc="outside right upper")
    return drawn


def _of(rows: Iterable[VoxelRow], section: str) -> list[VoxelRow]:
    return [row for row in rows if row.section == section]


def _table(head: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    lines = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(row) for row in body)]
    return [*(f"| {line} |" for line in lines), ""]


def _maps(rows: list[VoxelRow]) -> list[str]:
    if not rows:
        return []
    body = (
        (row.cell, str(row.voxels), row.contestant, _ms(row.sort_us), _ms(row.map_us), _times(row.ratio))
        for row in rows
        if row.status == "ok"
    )
    head = ("map", "voxels", "contestant", "pack and sort, ms", "map, ms", "x ours")
    return ["## Kernel maps", "", *_table(head, body)]


def _kernel_sizes(rows: list[VoxelRow]) -> list[str]:
    ours = {(row.scene, row.kernel): row.map_us for row in rows if row.contestant == "tamis" and row.map_us}
    body = []
    for (scene, kernel), small in ours.items():
        large = ours.get((scene, "5x5x5 stride 1"))
        if kernel == "3x3x3 stride 1" and small and large:
            body.append((scene, _ms(small), _ms(large), _times(large / small)))
    return (
        ["## K = 5 against K = 3", "", *_table(("scene", "K = 3, ms", "K = 5, ms", "ratio"), body)]
        if body
        else []
    )


def _scaling(rows: list[VoxelRow]) -> list[str]:
    if not rows:
        return []
    body = (
        (str(row.voxels), _ms(row.sort_us), _ms(row.map_us), f"{1e3 * (row.map_us or 0) / row.voxels:.1f}")
        for row in rows
    )
    head = ("voxels, one cell in eight", "pack and sort, ms", "map, ms", "map, ns a voxel")
    return ["## Maps of more voxels", "", *_table(head, body)]


def _ideas(rows: Iterable[VoxelRow]) -> list[str]:
    """Each idea of Spira switched off: how many times as long, geometric mean over the cells."""
    asked = (
        ("one-shot search: binary search instead", "maps", "searchsorted"),
        ("one-shot search: a hash table instead", "maps", "hash_packed"),
        ("packed keys: that hash table over three columns", "maps", "hash_unpacked"),
        ("mirrored lists: every offset searched", "maps", "tamis_unmirrored"),
        ("blocked dataflow: output-stationary everywhere", "layers", "reference_output_stationary"),
        ("blocked dataflow: weight-stationary everywhere", "layers", "reference_weight_stationary"),
        ("blocked dataflow: hybrid by L1 class", "layers", "reference_hybrid"),
        ("one plan: maps made layer by layer", "networks", "tamis_maps_layer_by_layer"),
    )
    found = list(rows)
    body = []
    for words, section, contestant in asked:
        ratios = [row.ratio for row in _of(found, section) if row.contestant == contestant and row.ratio]
        if ratios:
            body.append((words, str(len(ratios)), _times(geometric_mean(ratios))))
    return (
        ["## Ideas switched off", "", *_table(("instead of ours", "cells", "x ours"), body)] if body else []
    )


def _memory(rows: list[VoxelRow]) -> list[str]:
    body = [
        (
            row.cell,
            row.contestant,
            *(_mb(count) for count in (row.weight_bytes, row.live_bytes, row.nbytes, row.peak_bytes)),
            _times(row.memory_over_need),
        )
        for row in rows
        if row.status == "ok"
    ]
    head = ("network", "process", "weights, MB", "live features, MB", "plan, MB", "peak, MB", "peak / sum")
    return ["## Memory of a run", "", *_table(head, body)] if body else []


def _layers(rows: list[VoxelRow]) -> list[str]:
    if not rows:
        return []
    body = (
        (row.cell, row.contestant, _ms(row.median_us), _number(row.gflops), _share(row), _times(row.ratio))
        for row in rows
        if row.status == "ok"
    )
    head = ("layer", "contestant", "ms", "useful GFLOP/s", "of peak", "x ours")
    return ["## Layers, map given", "", *_table(head, body)]


def _networks(rows: list[VoxelRow]) -> list[str]:
    if not rows:
        return []
    body = (
        (
            row.cell,
            row.contestant,
            _ms(row.sort_us),
            _ms(row.map_us),
            _ms(row.feature_us),
            _ms(row.median_us),
            _percent(_map_share(row)),
            _times(row.median_us / row.gemm_us if row.median_us and row.gemm_us else None),
        )
        for row in rows
    )
    head = (
        "network", "contestant", "sort, ms", "maps, ms", "features, ms", "call, ms", "sort and maps", "call / useful GEMM",
    )  # fmt: skip
    return ["## Networks from raw coordinates", "", *_table(head, body)]


def _streaming(rows: list[VoxelRow]) -> list[str]:
    if not rows:
        return []
    body = ((row.cell, str(row.voxels), _ms(row.median_us), _ms(row.p95_us), _ms(row.p99_us)) for row in rows)
    return ["## Streaming", "", *_table(("stream", "voxels", "p50, ms", "p95, ms", "p99, ms"), body)]


def _not_timed(rows: Iterable[VoxelRow]) -> list[str]:
    body = [(row.cell, row.contestant, row.status, row.note) for row in rows if row.status != "ok"]
    return ["## Not timed", "", *_table(("cell", "contestant", "status", "why"), body)] if body else []


def _ms(us: float | None) -> str:
    return "" if us is None else f"{us / 1e3:.2f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"


def _times(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _mb(count: int | None) -> str:
    return "" if count is None else f"{count / 1e6:.1f}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def _map_share(row: VoxelRow) -> float | None:
    """Of the whole call, where the call is ours from raw coordinates."""
    if row.contestant != "tamis" or not row.median_us or row.map_us is None:
        return None
    return (row.map_us + (row.sort_us or 0)) / row.median_us


def _share(row: VoxelRow) -> str:
    return f"{100 * row.gflops / row.peak_gflops:.0f} %" if row.gflops and row.peak_gflops else ""
