"""How sparse the model should be at a training step: pure functions of the step, for gradual pruning.

They return the number that :func:`tamis.prune` takes, so a loop composes them with any score and pattern::

    if step % 100 == 0:
        masks = tamis.prune(model, sparsity=cubic(step, final=0.9, end=8000)).masks
    pruning.apply_masks(model, masks)      # after every optimizer step
"""


def one_shot(step: int, *, final: float, at: int = 0) -> float:
    """Sparsity that jumps from 0 to ``final`` at step ``at``; ValueError if ``final`` is not in 0..1."""
    _check(final=final)
    return final if step >= at else 0.0


def cubic(
    step: int, *, final: float, end: int, begin: int = 0, initial: float = 0.0, every: int = 1
) -> float:
    """Sparsity that rises fast at first and then ever more slowly, as fewer spare weights are left.

    ``final + (initial - final) * (1 - (t - begin) / (end - begin)) ** 3``, where t is ``step`` rounded down
    to a multiple of ``every`` after ``begin``: ``initial`` up to ``begin`` and ``final`` from ``end`` on.

    Raises
    ------
    ValueError   if ``end <= begin``, ``every < 1``, or a sparsity is not in 0..1.

    References
    ----------
    [1] Zhu, Gupta. To prune, or not to prune. 2017, equation 1.
    """
    if end <= begin or every < 1:
        raise ValueError(
            f"cubic(begin={begin}, end={end}, every={every}): expected begin < end and every >= 1."
        )
    _check(final=final, initial=initial)
    if step >= end:
        return final
    ticked = max(0, step - begin) // every * every
    return final + (initial - final) * (1 - ticked / (end - begin)) ** 3


def _check(**sparsities: float) -> None:
    for name, sparsity in sparsities.items():
        if not 0 <= sparsity <= 1:
            raise ValueError(f"{name}={sparsity}: expected a fraction of zeros between 0 and 1.")
