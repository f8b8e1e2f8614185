"""From a Tour to ``tamis-report.html``: one page that opens offline and says what was found, first of all in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tamis.report import (
    Cell,
    Column,
    Facts,
    Figure,
    Folded,
    Heading,
    Image,
    Key,
    Line,
    Numbers,
    Paragraph,
    Part,
    Table,
    Title,
    mib,
    percent,
    times,
    words,
    write_page,
)
from tamis.tour import charts
from tamis.tour.rows import INTACT, LayerRow, ModelRow, Speed, Tour
from tamis.tour.verdict import best_row, verdict, warning

A_BUSY_MACHINE = 0.25


def write_report(tour: Tour, path: Path) -> None:
    """Write the page, complete or not at all."""
    write_page(path, f"tamis: {tour.model}, sparse and dense", _body(tour))


def _body(tour: Tour) -> Iterator[Part]:
    yield from _head(tour)
    yield from _trade_off(tour)
    yield from _damage(tour)
    yield from _models(tour)
    yield from _layers(tour)
    yield from _memory(tour)
    yield from _street(tour)
    yield from _method(tour)


def _head(tour: Tour) -> Iterator[Part]:
    yield Title(verdict(tour), over=f"tamis tour · {tour.model}")
    said = warning(tour)
    if said:
        yield Paragraph(said, "warning")
    shown = best_row(tour)
    if shown is not None:
        packed = tour.packed_batch
        yield Numbers(
            [
                (times(tour.speedup(shown)), "the speed of dense PyTorch, whole model"),
                *(
                    [(times(packed.ms / shown.batch.ms), "the speed of dense with packed weights")]
                    if packed
                    else []
                ),
                (f"{shown.mean_cosine:.3f}", f"mean cosine; worst sentence {shown.min_cosine:.3f}"),
                (
                    times((shown.format_bytes + shown.packed_bytes) / tour.dense_bytes),
                    "the memory of the dense linear weights",
                ),
            ]
        )


def _trade_off(tour: Tour) -> Iterator[Part]:
    yield Heading("What speed costs")
    entries = [(charts.series(tour, p), p) for p in charts.patterns(tour)]
    yield Key([*entries, ("hollow", f"ruined: mean cosine below {INTACT}")])
    yield Figure(
        charts.trade_off(tour),
        f"Every point is the whole model in one configuration; small numbers are its sparsity in percent. The shaded band is where "
        f"embeddings count as intact (mean cosine of {INTACT} or more over {tour.sentences} sentences); the ring marks the fastest "
        "model inside it. Speeds of ruined models are hollow and grey: nobody could use them.",
    )


def _damage(tour: Tour) -> Iterator[Part]:
    yield Heading("What pruning does to the embeddings")
    entries = [(charts.series(tour, p), p) for p in charts.patterns(tour)]
    if tour.damages:
        entries.append(("dash", "by magnitude alone"))
    yield Key(entries)
    yield Figure(
        charts.damage(tour),
        f"Solid: weights ranked by Wanda's score (size of the weight times the norm of its input, measured on {tour.calibration} "
        "calibration sentences that are not among the test sentences). "
        + (
            "Dashed: by size alone, which needs no calibration and does more harm at every sparsity. "
            if tour.damages
            else ""
        )
        + "One shot, no training afterwards.",
    )
    if any(row.configuration.pattern == "mixed" for row in tour.rows):
        yield Paragraph(
            "The mixed models give every layer a pattern and a sparsity of its own. Each layer was pruned alone in every way that had "
            "been timed; the mixture then saves as much measured time as it can while its mean cosine on the calibration sentences "
            "stays above its aim. The test sentences had no say in it."
        )


def _models(tour: Tour) -> Iterator[Part]:
    yield Heading("Whole models")
    header: list[str | Column] = [
        words("configuration"),
        "sparsity",
        Column("cosine", "mean"),
        Column("cosine", "worst"),
        Column("batch", "ms"),
        Column("batch", "vs dense"),
        Column("sentence", "ms"),
        Column("sentence", "vs dense"),
        Column("dense", "MiB"),
        Column("packed", "MiB"),
    ]
    yield Table(header, _model_rows(tour))
    yield Paragraph(
        f"Cosines are to the dense model's embeddings, the mean over {tour.sentences} sentences and the worst of them. "
        f"Batch: {tour.sentences} sentences of their real lengths, {tour.tokens} tokens, {tour.padded_tokens} with padding. One "
        f"sentence: {tour.single_tokens} tokens; kernels were chosen for the batch. Medians; all models took turns. Memory is that "
        f"of the linear weights alone; embeddings, norms and biases add {mib(tour.other_bytes)} MiB to every model, dense or sparse. "
        f"Grey rows are ruined (mean cosine below {INTACT}).",
        "soft",
    )
    busy = max(s.waiting for s in _speeds(tour))
    if busy > A_BUSY_MACHINE:
        yield Paragraph(
            f"Other programs wanted the same cores while this was timed: threads waited up to {100 * busy:.0f} % of the time. "
            "Run it again on a quiet machine before you quote it.",
            "warning",
        )


def _speeds(tour: Tour) -> list[Speed]:
    return [tour.dense_batch, *(row.batch for row in tour.rows)]


def _model_rows(tour: Tour) -> Iterator[Line]:
    best = best_row(tour)
    yield Line(_dense_cells("dense PyTorch", tour, tour.dense_batch, tour.dense_single), "opponent")
    if tour.packed_batch is not None and tour.packed_single is not None:
        cells = _dense_cells("dense, weights packed", tour, tour.packed_batch, tour.packed_single)
        yield Line(cells, "opponent")
    for row in tour.rows:
        yield Line(_model_cells(tour, row), "best" if row is best else "" if row.intact else "ruined")


def _model_cells(tour: Tour, row: ModelRow) -> list[str | Cell]:
    configuration = row.configuration
    return [
        configuration.pattern if configuration.sparsity is not None else configuration.name,
        Cell(percent(row.sparsity), row.sparsity),
        _number(row.mean_cosine, ".3f"),
        _number(row.min_cosine, ".3f"),
        _number(row.batch.ms, ".1f"),
        _factor(tour.speedup(row)),
        _number(row.single.ms, ".2f"),
        _factor(tour.dense_single.ms / row.single.ms),
        _memory_of(row.format_bytes),
        _memory_of(row.packed_bytes),
    ]


def _dense_cells(name: str, tour: Tour, batch: Speed, single: Speed) -> list[str | Cell]:
    packed = tour.dense_bytes if name != "dense PyTorch" else 0
    return [
        name,
        Cell(percent(0), 0.0),
        "1",
        "1",
        _number(batch.ms, ".1f"),
        _factor(tour.dense_batch.ms / batch.ms),
        _number(single.ms, ".2f"),
        _factor(tour.dense_single.ms / single.ms),
        _memory_of(tour.dense_bytes - packed),
        _memory_of(packed),
    ]


def _layers(tour: Tour) -> Iterator[Part]:
    yield Heading("Layer by layer")
    shown = best_row(tour) or max(tour.rows, key=lambda row: row.mean_cosine)
    yield Key(
        [
            ("plain", "dense"),
            (charts.series(tour, shown.configuration.pattern), f"sparse: {shown.configuration.name}"),
        ]
    )
    yield Figure(
        charts.layer_times(tour, shown),
        f"Time of every linear layer in one forward pass over the batch (n = {tour.padded_tokens}), dense and sparse taking turns.",
    )
    yield Paragraph(
        "For every configuration: what was chosen, why, and what dense would have cost. “Pays from” is the sparsity at which the cost "
        "model expects the kernel to overtake dense PyTorch; where that is 0 %, it would even without zeros, and part of the gain is the "
        "kernel's. The error is against the dense layer with the same zeros, in float64."
    )
    for row in tour.rows:
        dense_ms, now_ms = _layer_sums(row)
        aside = f"{row.replaced} of {len(row.layers)} layers sparse, {dense_ms:.1f} → {now_ms:.1f} ms" + (
            "" if row.intact else ", ruined"
        )
        yield Folded(row.configuration.name, aside, [_layer_table(row)], "open" if row is shown else "shut")


def _layer_sums(row: ModelRow) -> tuple[float, float]:
    """Dense time of the layers that were timed, and their time as chosen, milliseconds."""
    timed = [r.layer for r in row.layers if r.layer.dense_ms is not None and r.layer.sparse_ms is not None]
    dense = sum(layer.dense_ms or 0.0 for layer in timed)
    return dense, sum((layer.sparse_ms if layer.replaced else layer.dense_ms) or 0.0 for layer in timed)


def _layer_table(row: ModelRow) -> Table:
    header: list[str | Column] = [
        words("layer"),
        Column("shape", "out × in"),
        "sparsity",
        words("format"),
        Column("dense", "ms"),
        Column("sparse", "ms"),
        Column("pays from", "sparsity"),
        Column("error", "relative"),
        Column("memory", "MiB"),
        words("choice and reason"),
    ]
    return Table(header, map(_layer_cells, row.layers))


def _layer_cells(row: LayerRow) -> list[str | Cell]:
    layer = row.layer
    m, k = layer.shape
    choice = (layer.kernel or "sparse").rpartition("/")[2] if layer.replaced else "dense"
    return [
        charts.short_name(layer.name),
        Cell(f"{m} × {k}", m * k),
        Cell(percent(layer.sparsity), layer.sparsity),
        layer.format or "–",
        _number(layer.dense_ms, ".3f"),
        _number(layer.sparse_ms, ".3f"),
        Cell("–") if row.crossover is None else Cell(percent(row.crossover, 0), row.crossover),
        _number(layer.error, ".0e"),
        _memory_of(row.format_bytes + row.packed_bytes),
        f"{choice}: {layer.reason.removesuffix(' (measured)')}",
    ]


def _memory(tour: Tour) -> Iterator[Part]:
    yield Heading("Memory")
    yield Key(
        [
            ("bar", "layers that stay dense"),
            ("bar pale", "packed: what the kernels read"),
        ]
    )
    yield Figure(
        charts.memory(tour),
        "A sparse layer holds its numbers once, in the order in which its kernel reads them; the format that is saved to disk is "
        "built from them.",
    )


def _street(tour: Tour) -> Iterator[Part]:
    street = tour.street
    if street is None:
        return
    yield Heading("A point cloud")
    yield Numbers(
        [
            (f"{street.ms:.0f} ms", f"from {street.points:,} raw points to a class for each"),
            (f"{100 * street.mean_iou:.0f} %", "mIoU with the labels of the generator"),
        ]
    )
    if street.picture is not None:
        yield Image(street.picture.name, f"{street.name} in the colours of its classes", street.page.name)
    yield Paragraph(
        f"A scan of a generated street, {street.name}, that was no part of the training. A network of sparse convolutions "
        f"({street.network}; trained on {street.trained_on}) labels its {street.voxels:,} voxels of {street.voxel_size_m:g} m; of the "
        f"time, {street.plan_ms:.0f} ms go into finding voxels, levels and kernel maps. Open {street.page.name} to turn and zoom it."
    )
    yield Table(
        [words("class"), "intersection over union"],
        ([name, Cell(percent(value), value)] for name, value in street.iou.items()),
    )


def _method(tour: Tour) -> Iterator[Part]:
    yield Heading("How it was measured")
    yield Paragraph(
        "Copies of one model were pruned in one shot; every linear layer became sparse where its sparse form was faster on this "
        "machine, and stayed dense elsewhere. Layers and whole models were timed in turns (A B C A B C …) in one process, warm, and the "
        "figures are medians. “Dense PyTorch” is the model as loaded. “Weights packed” is the same dense model with its linear layers "
        "packed ahead for oneDNN, as torch.compile does when weights are frozen: the strongest dense opponent known to us. The "
        f"embedding of a sentence is the mean over its tokens, and its cosine is to the dense model's embedding of the same sentence, "
        f"over {tour.sentences} English sentences; another language or text may tolerate less."
    )
    yield Facts(tour.environment)


def _factor(value: float) -> Cell:
    return Cell(times(value), value)


def _number(value: float | None, form: str) -> Cell:
    return Cell("–") if value is None else Cell(f"{value:{form}}", value)


def _memory_of(count: int) -> Cell:
    return Cell(mib(count), count)
