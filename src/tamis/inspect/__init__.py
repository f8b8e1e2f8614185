"""What a model is: its linear layers, what stands in the way of changing them, and what they do while it runs."""

from tamis.inspect.blocks import blocks
from tamis.inspect.calls import watching_calls
from tamis.inspect.linear_layers import linear_layers
from tamis.inspect.linear_weights import LinearWeight, find_linear_weights
from tamis.inspect.memory import is_plain, memory_of, return_free_memory
from tamis.inspect.obstacles import additions, obstacle, unusable
from tamis.inspect.running import ModelInputs, evaluating, run_model
from tamis.inspect.statistics import LayerStatistics, layer_statistics
from tamis.inspect.tracing import LayerUse, trace
from tamis.inspect.where import Where, checked_names, checked_where, chosen

__all__ = [
    "LayerStatistics",
    "LayerUse",
    "LinearWeight",
    "ModelInputs",
    "Where",
    "additions",
    "blocks",
    "checked_names",
    "checked_where",
    "chosen",
    "evaluating",
    "find_linear_weights",
    "is_plain",
    "layer_statistics",
    "linear_layers",
    "memory_of",
    "obstacle",
    "return_free_memory",
    "run_model",
    "trace",
    "unusable",
    "watching_calls",
]
