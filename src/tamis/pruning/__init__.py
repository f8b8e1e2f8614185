"""Which weights go: methods × patterns × schedules, all plain functions."""

from tamis.pruning.masks import apply_masks
from tamis.pruning.methods import METHODS, Method, by_score
from tamis.pruning.patterns import Blocks, NOfM, Pattern, parse_pattern
from tamis.pruning.prune import prune
from tamis.pruning.report import PrunedLayer, PruneReport
from tamis.pruning.schedules import cubic, one_shot
from tamis.pruning.scores import SCORES, Score
from tamis.pruning.selection import select

__all__ = [
    "METHODS",
    "SCORES",
    "Blocks",
    "Method",
    "NOfM",
    "Pattern",
    "PruneReport",
    "PrunedLayer",
    "Score",
    "apply_masks",
    "by_score",
    "cubic",
    "one_shot",
    "parse_pattern",
    "prune",
    "select",
]
