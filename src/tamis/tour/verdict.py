"""The tour in one sentence of plain English."""

from __future__ import annotations

from tamis.tour.rows import INTACT, ModelRow, Tour

A_TIE = 1.02  # speeds closer than this are not told apart


def best_row(tour: Tour) -> ModelRow | None:
    """The fastest configuration that left the embeddings intact, whether faster than dense or not."""
    return min((row for row in tour.rows if row.intact), key=lambda row: row.batch.ms, default=None)


def verdict(tour: Tour) -> str:
    """Name the fastest configuration that left the embeddings intact, or say why dense wins."""
    best = best_row(tour)
    if best is None:
        closest = max(tour.rows, key=lambda row: row.mean_cosine)
        return (
            f"Dense wins here: pruning ruined all {len(tour.rows)} models; the closest, {closest.configuration.name}, "
            f"keeps a mean cosine of {closest.mean_cosine:.3f} where {INTACT} was asked for."
        )
    speed = tour.speedup(best)
    mixed = "" if best.configuration.sparsity is not None else ", each layer as sparse as it tolerates"
    which = f"{best.configuration.name}{mixed}; mean cosine {best.mean_cosine:.3f}"
    if speed < A_TIE:
        return (
            f"Dense wins here: the fastest model with its embeddings intact ({which}) takes {best.batch.ms:.1f} ms, "
            f"dense PyTorch {tour.dense_batch.ms:.1f} ms."
        )
    won = f"{speed:.2f}× as fast as dense PyTorch with the embeddings intact ({which})"
    packed = tour.packed_batch
    if packed is None:
        return f"Sparse wins here: {won}."
    against = packed.ms / best.batch.ms
    if against >= A_TIE:
        return f"Sparse wins here: {won}, and {against:.2f}× as fast as dense with packed weights."
    standing = "no faster than" if against > 1 / A_TIE else f"only {against:.2f}× as fast as"
    return f"Sparse runs {won}, but {standing} dense with packed weights: the best dense wins here."


def warning(tour: Tour) -> str | None:
    """Say plainly what pruning without recovery did to the faster configurations; None if it ruined none."""
    ruined = [row for row in tour.rows if not row.intact]
    if not ruined:
        return None
    fastest = max(ruined, key=tour.speedup)
    share = f"{len(ruined)} of {len(tour.rows)}" if len(ruined) < len(tour.rows) else f"all {len(ruined)}"
    return (
        f"One-shot pruning ruined {share} models: their speed is real, their embeddings are not usable. "
        f"{fastest.configuration.name} runs {tour.speedup(fastest):.2f}× as fast as dense, at a mean cosine of "
        f"{fastest.mean_cosine:.2f}. Better scores and calibration move this limit a little; to reach 80 or 90 % "
        "a model has to be trained further while it is pruned (gradual pruning, distillation from the dense model)."
    )
