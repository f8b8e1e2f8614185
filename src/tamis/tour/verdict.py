"""The tour in one sentence of plain English."""

from __future__ import annotations

from tamis.tour.rows import INTACT, ModelRow, Tour

A_TIE = 1.02  # speeds closer than this are not told apart


def best_row(tour: Tour) -> ModelRow | None:
    """The fastest configuration that left the embeddings intact, whether faster than dense or not."""
    return min((row for row in tour.rows if row.intact), key=lambda row: row.batch.ms, default=None)


def dense_wins(tour: Tour) -> bool:
    """True if no intact configuration is faster than dense by more than a tie."""
    best = best_row(tour)
    return best is None or tour.speedup(best) < A_TIE


def verdict(tour: Tour) -> str:
    """Name the fastest configuration that left the embeddings intact, or say why dense wins."""
    best = best_row(tour)
    if best is None:
        closest = max(tour.rows, key=lambda row: row.mean_cosine)
        return (
            f"Dense wins here: every one of the {len(tour.rows)} pruned models lost the meaning of its sentences; the "
            f"closest, {closest.configuration.name}, keeps a mean cosine of {closest.mean_cosine:.3f} "
            f"where {INTACT} was asked for."
        )
    speed, name = tour.speedup(best), best.configuration.name
    kept = f"keeps the embeddings at a mean cosine of {best.mean_cosine:.3f}"
    if speed < A_TIE:
        return (
            f"Dense wins here: {name} {kept}, but takes {best.batch.ms:.1f} ms "
            f"where dense takes {tour.dense_batch.ms:.1f} ms ({speed:.2f}×)."
        )
    won = (
        f"{name} runs {speed:.2f}× as fast as dense PyTorch ({best.batch.ms:.1f} instead of "
        f"{tour.dense_batch.ms:.1f} ms) and {kept}"
    )
    packed = tour.packed_batch
    if packed is None:
        return f"Sparse wins here: {won}."
    against = packed.ms / best.batch.ms
    if against < A_TIE:
        return (
            f"Sparse beats dense PyTorch as it comes, but not the best dense: {won}; dense with weights packed ahead, "
            f"as torch.compile freezes them, takes {packed.ms:.1f} ms ({against:.2f}×)."
        )
    return f"Sparse wins here: {won}, {against:.2f}× as fast as dense with weights packed ahead ({packed.ms:.1f} ms)."


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
