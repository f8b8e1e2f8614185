"""Describing the architecture of a ``transformers`` model as plain data, and building it again without network.

Only classes of ``transformers`` itself are built, and no code is ever fetched or read from the saved folder.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

ATTENTIONS = ("eager", "sdpa", "flex_attention", "flash_attention_2", "flash_attention_3")

# Where a model came from is not part of it; the others could make transformers fetch code.
NOT_ARCHITECTURE = {
    "_name_or_path",
    "name_or_path",
    "_commit_hash",
    "auto_map",
    "attn_implementation",
    "_attn_implementation",
    "experts_implementation",
    "_experts_implementation",
    "quantization_config",
}


@dataclass(frozen=True)
class Architecture:
    """A model of ``transformers``, without its numbers.

    Attributes
    ----------
    name : str
        Class, a public name of ``transformers``.
    config : dict
        Fields of its configuration, JSON only.
    attention : str
        Which implementation of attention runs.
    """

    name: str
    config: dict[str, Any]
    attention: str


def describe(model: nn.Module) -> Architecture | None:
    """Describe a model of ``transformers``; None for any other.

    Raises
    ------
    ValueError   if it is quantised: what its modules hold cannot be built again from the configuration.
    """
    transformers = sys.modules.get(
        "transformers"
    )  # unless it is imported, the model cannot be one of its own
    if transformers is None or not isinstance(model, transformers.PreTrainedModel):
        return None
    name = type(model).__name__
    if getattr(transformers, name, None) is not type(model):
        return None  # a subclass of somebody's own
    if quantisation := getattr(model.config, "quantization_config", None):
        raise ValueError(
            f"save_sparse(model): this {name} is quantised ({quantisation_method(quantisation)}), and only float weights can be "
            "pruned and saved sparse. Take the model that is not quantised, or model.dequantize() where transformers can."
        )
    config = json.loads(model.config.to_json_string(use_diff=False))
    return Architecture(name, _architecture_only(config), model.config._attn_implementation or "eager")


def quantisation_method(config: Any) -> str:
    """Name of the method in a ``quantization_config``, an object or what JSON has of it."""
    named = config.get("quant_method") if isinstance(config, dict) else getattr(config, "quant_method", None)
    return str(getattr(named, "value", named) or type(config).__name__)


@torch.inference_mode(False)  # parameters made in inference mode could never be trained
def build(architecture: Architecture) -> nn.Module:
    """Build the model, with random weights, in eval mode.

    Raises
    ------
    ModuleNotFoundError   if ``transformers`` is missing.
    ValueError            if the class, its configuration or the attention is not one of ``transformers``.
    """
    try:
        import transformers
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            f"load_sparse: a saved {architecture.name} needs transformers. Run pip install 'tamis[models]'.",
            name=missing.name,
        ) from missing
    cls = getattr(transformers, architecture.name, None)
    if not (isinstance(cls, type) and issubclass(cls, transformers.PreTrainedModel)):
        raise ValueError(f"load_sparse: transformers has no model {architecture.name!r}.")
    if architecture.attention not in ATTENTIONS:
        raise ValueError(
            f"load_sparse: attention is {architecture.attention!r}, expected one of {ATTENTIONS}."
        )
    fields = _architecture_only(architecture.config)
    try:
        config = transformers.AutoConfig.for_model(**fields, attn_implementation=architecture.attention)
        model: nn.Module = cls(config)
    except Exception as error:
        raise ValueError(
            f"load_sparse: transformers cannot build {architecture.name} from the saved config: "
            f"{type(error).__name__}: {error}"
        ) from error
    return model.eval()


def _architecture_only(config: Any) -> Any:
    """Drop what is not architecture, at every level."""
    if isinstance(config, dict):
        return {
            key: _architecture_only(value) for key, value in config.items() if key not in NOT_ARCHITECTURE
        }
    return [_architecture_only(item) for item in config] if isinstance(config, list) else config
