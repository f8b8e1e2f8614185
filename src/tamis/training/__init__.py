"""The one training loop: stages as records, resume after a kill, randomness from (seed, stage, epoch)."""

from tamis.training.loop import fit
from tamis.training.randomness import seed_from, seeded
from tamis.training.stage import EpochReport, Stage, StageResult

__all__ = ["EpochReport", "Stage", "StageResult", "fit", "seed_from", "seeded"]
