"""From rows to a page: what the SpMM suite found, in one HTML file that opens offline, and a PNG beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tamis.bench.spmm.contestants import ROLES
from tamis.bench.spmm.results import plots, tables
from tamis.bench.spmm.results.eight_bits import eight_bit_cells, eight_bits_part, said_of_eight_bits
from tamis.bench.spmm.results.summary import (
    CellResult,
    Spread,
    cell_results,
    crossover_errors,
    crossovers,
    grouped,
    losses,
    regrets,
    trust,
)
from tamis.bench.spmm.rows import Row
from tamis.report import (
    Facts,
    Figure,
    Heading,
    Paragraph,
    Part,
    Title,
    percent,
    save_figure,
    style,
    svg,
    times,
    write_page,
)


def write(rows: Sequence[Row], csv_path: Path, command: str) -> Path:
    """Write ``<csv>.html`` and ``<csv>.png`` beside the CSV, complete or not at all.

    Parameters
    ----------
    rows : sequence of Row
        As :func:`tamis.bench.spmm.suite.run` returned them.
    csv_path : Path
        Where they stand; the page names it.
    command : str
        What makes them again; the page shows it.

    Returns
    -------
    Path of the page.

    Raises
    ------
    ValueError   if there is no row.
    """
    if not rows:
        raise ValueError(f"report.write(rows, {csv_path}): no row to report; run the bench first.")
    html = csv_path.with_suffix(".html")
    with style():
        write_page(html, "tamis: sparse × dense products", _body(rows, csv_path, command))
        _write_png(rows, csv_path.with_suffix(".png"))
    return html


def _write_png(rows: Sequence[Row], path: Path) -> None:
    grid = _section(cell_results(rows, ROLES), "grid")
    if grid:
        save_figure(plots.speed_figure(grid, [row for row in rows if row.section == "grid"]), path)


def verdict_of(rows: Sequence[Row]) -> str:
    """:func:`verdict` about the grid, or the files, among ``rows``, and a sentence about few columns."""
    results = cell_results(rows, ROLES)
    if eight_bits := said_of_eight_bits(eight_bit_cells(rows, ROLES)):
        return eight_bits
    said = verdict(_section(results, "grid") or _section(results, "files"))
    decode = _section(results, "decode")
    if not decode:
        return said
    behind = len(losses(decode, 0.0))
    to_peers = sum(result.vs_peer is not None and result.vs_peer < 1 for result in decode)
    return f"{said} With few columns (n = 1 to 16), dense wins in {behind} of {len(decode)} cells, and a sparse peer in {to_peers}."


def verdict(results: Sequence[CellResult]) -> str:
    """A few sentences of plain English about a section."""
    ours = [result for result in results if result.row.pattern == "unstructured"] or list(results)
    if not ours:
        return "No product of ours was timed."
    kind = (
        "Unstructured sparsity" if ours[0].row.pattern == "unstructured" else f"Pattern {ours[0].row.pattern}"
    )
    said = [
        f"{kind}: {_speeds(ours, lambda result: result.vs_dense)} the speed of dense PyTorch, taken as the faster of its two "
        "layouts (geometric means)."
    ]
    packed = _speeds(ours, lambda result: result.vs_packed)
    if packed:
        lost = sum(result.vs_packed is not None and result.vs_packed < 1 for result in results)
        said.append(
            f"Against dense with weights packed ahead for oneDNN, as AOTInductor has them: {packed}; it wins in {lost} cells."
        )
    slower = losses(results, 0.0)
    if slower:
        worst = slower[0]
        where = f"{worst.row.m}×{worst.row.k}, n = {worst.row.n}, {100 * worst.row.sparsity:.0f} % {worst.row.pattern}"
        said.append(
            f"Dense wins in {len(slower)} of {len(results)} cells, most clearly at {where} ({times(worst.vs_dense)})."
        )
    else:
        said.append(f"Dense wins in none of {len(results)} cells.")
    against_peers = [result.vs_peer for result in results if result.vs_peer is not None]
    if against_peers:
        said.append(f"Against the best sparse peer of each cell: {times(Spread.of(against_peers).geomean)}.")
    return " ".join(said)


def _speeds(results: Sequence[CellResult], value: Callable[[CellResult], float | None]) -> str:
    """Geometric means at the sparsities people ask for: "1.9× at 50 %, 2.8× at 70 %"; empty without any."""
    found = grouped(results, lambda row: round(row.sparsity, 2) if row.target is None else row.target, value)
    asked = {
        target: spread for target, spread in found.items() if target in (0.5, 0.7, 0.8, 0.9, 0.95)
    } or found
    return ", ".join(f"{times(spread.geomean)} at {100 * target:.0f} %" for target, spread in asked.items())


def _section(results: Sequence[CellResult], name: str) -> list[CellResult]:
    return [result for result in results if result.row.section == name]


def _body(rows: Sequence[Row], csv_path: Path, command: str) -> Iterator[Part]:
    results = cell_results(rows, ROLES)
    grid = _section(results, "grid") or _section(results, "files")
    yield Title("Sparse × dense products: tamis, dense PyTorch, and the peers")
    yield Paragraph(verdict_of(rows), "lede")
    yield _circumstances(rows, csv_path, command)
    if grid:
        yield from _grid_part(grid, rows)
    for part in (_decode_part, _layers_part, _lengths_part, _choice_part):
        yield from part(results, rows)
    yield from eight_bits_part(eight_bit_cells(rows, ROLES))
    yield from _trust_part(rows)


def _circumstances(rows: Sequence[Row], csv_path: Path, command: str) -> Facts:
    first = rows[0]
    builds = sorted({row.build for row in rows})
    dates = sorted({row.date for row in rows})
    peak = (
        f"{first.peak_gflops:.0f} GFLOP/s measured with all threads" if first.peak_gflops else "not measured"
    )
    pairs = {
        "CPU": f"{first.cpu}, {first.threads} threads, instruction set {first.isa}, {first.dtype}",
        "FMA peak": peak,
        "Versions": first.versions,
        "Measured": dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}",
        "Code": builds[0] if len(builds) == 1 else f"rows of {len(builds)} builds: {', '.join(builds)}",
        "Rows": f"{len(rows)} in {csv_path.name}",
        "Again": command,
    }
    return Facts(pairs, code=("Again",))


def _grid_part(grid: Sequence[CellResult], rows: Sequence[Row]) -> Iterator[Part]:
    section = grid[0].row.section
    yield Heading("Speed against sparsity")
    speeds = plots.speed_figure(grid, [row for row in rows if row.section == section])
    yield Figure(
        svg(speeds, "Speed relative to dense PyTorch against sparsity, a panel per pattern"),
        "Geometric means over shapes and n. Green: tamis with the plan that its chooser made; band = quartiles, dash = worst "
        "cell. Dashed line = dense PyTorch, the faster of torch.mm and F.linear in each cell. Dotted: dense with weights packed ahead "
        "for oneDNN, which is what AOTInductor, and torch.compile with a free batch size, make of frozen weights.",
    )
    yield tables.by_sparsity(grid)
    yield Heading("Every shape and length, unstructured")
    yield tables.by_shape(grid)
    found = crossovers([result for result in grid if result.row.pattern == "unstructured"])
    if found:
        yield Heading("Crossover")
        yield Paragraph(
            "The sparsity from which sparse stays faster than dense, interpolated between measured ones."
        )
        yield tables.crossover_table(found)
    peak = plots.peak_figure(grid)
    if peak is not None:
        yield Heading("Share of the FMA peak")
        yield Figure(
            svg(peak, "Share of the FMA peak against sparsity, a line per n"),
            "Useful operations (2 per nonzero and column) per second over the measured FMA peak; unstructured.",
        )
    yield Heading("Packing")
    yield Paragraph(
        "Making a plan and packing the values, from a matrix in its format; done once per matrix."
    )
    yield tables.packing_table(grid)
    yield Heading("The layout of nn.Linear")
    yield tables.linear_table(grid)


def _decode_part(results: Sequence[CellResult], rows: Sequence[Row]) -> Iterator[Part]:
    if _section(results, "decode"):
        yield Heading("Few columns: n = 1, 8, 16")
        yield Paragraph(
            "Warm: the same matrix again and again. Cold: calls cycle through copies of more than 256 MiB in all, so that every "
            "weight comes from memory, as in the decoding of a large model."
        )
        yield tables.decode_table([row for row in rows if row.section == "decode"])


def _layers_part(results: Sequence[CellResult], rows: Sequence[Row]) -> Iterator[Part]:
    layers = _section(results, "layers")
    if layers:
        yield Heading("Layers of a real model")
        yield Paragraph(f"{layers[0].row.family}, pruned by magnitude, n = {layers[0].row.n}.")
        yield tables.layers_table(layers)


def _lengths_part(results: Sequence[CellResult], rows: Sequence[Row]) -> Iterator[Part]:
    lengths = _section(results, "lengths")
    if lengths:
        yield Heading("Lengths the plan was not made for")
        yield tables.lengths_table(lengths)


def _choice_part(results: Sequence[CellResult], rows: Sequence[Row]) -> Iterator[Part]:
    regret = regrets(rows, ROLES)
    if regret:
        yield Heading("How right the choice is")
        yield Paragraph(
            "On shapes, seeds and sparsities that no constant was fitted to, every kernel is timed beside the chosen one; the best is "
            "found in a first pass, and times are compared in a second."
        )
        yield tables.choice_table(regret, crossover_errors(_section(results, "grid")))


def _trust_part(rows: Sequence[Row]) -> Iterator[Part]:
    found = trust(rows)
    yield Heading("How it was measured, and how far to trust it")
    yield Paragraph(
        "Every contestant is compared with a float64 product first and not timed if it is wrong. Those on torch's thread pool take "
        "turns in one process (A B C A B C …), each call batched to about 1.5 ms; engines with a pool of their own get a time block of "
        "their own with dense repeated beside it, and their speed is relative to that. Figures are medians of samples without an "
        "involuntary context switch, warm unless said otherwise."
    )
    if found:
        yield Paragraph(
            f"Median spread (interquartile range over median) of {found.rows} timed rows: {percent(found.spread, 0)}. "
            f"Rows during which threads of the bench waited for a CPU for 30 % of the time or more: {percent(found.disturbed)}."
        )
    yield tables.not_timed_table(rows)
    yield tables.details_table(rows)
