"""The one training loop: stages as records, resume after a kill, randomness from (seed, stage, epoch); and jobs."""

from tamis.training.jobs import (
    Executor,
    InProcess,
    Job,
    ProcessPool,
    is_done,
    local_executor,
    mark_done,
    run_jobs,
)
from tamis.training.loop import fit
from tamis.training.randomness import seed_from, seeded
from tamis.training.stage import Batches, EpochReport, Stage, StageResult

__all__ = [
    "Batches",
    "EpochReport",
    "Executor",
    "InProcess",
    "Job",
    "ProcessPool",
    "Stage",
    "StageResult",
    "fit",
    "is_done",
    "local_executor",
    "mark_done",
    "run_jobs",
    "seed_from",
    "seeded",
]
