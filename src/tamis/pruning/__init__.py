"""Which weights go: scores × patterns × schedules, all plain functions."""

from tamis.pruning.patterns import Blocks, NOfM, parse_pattern
from tamis.pruning.prune import apply_masks, prune
from tamis.pruning.report import PrunedLayer, PruneReport
from tamis.pruning.schedules import cubic, one_shot
from tamis.pruning.scores import SCORES, Score

__all__ = [
    "SCORES",
    "Blocks",
    "NOfM",
    "PruneReport",
    "PrunedLayer",
    "Score",
    "apply_masks",
    "cubic",
    "one_shot",
    "parse_pattern",
    "prune",
]
