"""Evaluation: how good a trained ensemble is, with intervals over speakers, and what each of its ingredients is worth.

``metrics``, ``bootstrap``   figures, and their intervals
``compare``                  :func:`evaluate`: ensemble, members, baseline and probes side by side
``ablations``                :func:`ablate`: one ingredient changed at a time
``probe``                    linear probes on the cached features
"""

from tamis.emotion.evaluation.ablations import ABLATIONS, ablate
from tamis.emotion.evaluation.compare import Evaluation, evaluate
from tamis.emotion.evaluation.probe import logistic_probe, probe_streams, ridge_probe

__all__ = [
    "ABLATIONS",
    "Evaluation",
    "ablate",
    "evaluate",
    "logistic_probe",
    "probe_streams",
    "ridge_probe",
]
