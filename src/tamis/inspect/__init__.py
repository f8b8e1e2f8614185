"""What a model is: its linear layers, what stands in the way of changing them, and what they do while it runs."""

from tamis.inspect.linear_weights import Target, Where, chosen, find_targets
from tamis.inspect.memory import memory_of
from tamis.inspect.obstacles import obstacle, unusable
from tamis.inspect.running import ModelInputs, evaluating, run_model
from tamis.inspect.statistics import input_norms
from tamis.inspect.tracing import LayerUse, trace

__all__ = [
    "LayerUse",
    "ModelInputs",
    "Target",
    "Where",
    "chosen",
    "evaluating",
    "find_targets",
    "input_norms",
    "memory_of",
    "obstacle",
    "run_model",
    "trace",
    "unusable",
]
