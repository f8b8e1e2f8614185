"""Copies of a sentence encoder, pruned in many ways, and how far their embeddings moved."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from tamis.inspect import linear_layers
from tamis.pretrained import embed, tokenize
from tamis.pruning import NOfM, apply_masks, parse_pattern, prune
from tamis.tour.rows import Configuration

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, eq=False)
class Encoder:
    """A dense sentence encoder and its tokenizer."""

    model: nn.Module
    tokenizer: PreTrainedTokenizerBase

    def copy(self) -> nn.Module:
        """Copy the weights of the linear layers; everything else is shared, since nothing changes it."""
        own = {id(weight) for weight in linear_weights(self.model).values()}
        tensors = (*self.model.parameters(), *self.model.buffers())
        return copy.deepcopy(self.model, {id(t): t for t in tensors if id(t) not in own})

    def tokens(self, sentences: Sequence[str]) -> dict[str, Tensor]:
        return tokenize(self.tokenizer, sentences)

    def pruned(
        self, configuration: Configuration, score: str, calibration: Sequence[str]
    ) -> tuple[nn.Module, dict[str, Tensor]]:
        """Return a pruned copy, and its masks by parameter."""
        model = self.copy()
        n_of_m = isinstance(parse_pattern(configuration.pattern), NOfM)
        report = prune(
            model,
            None if n_of_m else configuration.sparsity,
            configuration.pattern,
            score,
            calibration=[self.tokens(calibration)] if score == "wanda" else None,
            where=in_encoder,
        )
        return model, report.masks

    def masked(self, masks: Mapping[str, Tensor]) -> nn.Module:
        model = self.copy()
        apply_masks(model, masks)
        return model


class Judge:
    """Cosines of a model's embeddings to those of the dense one, on the same sentences.

    Parameters
    ----------
    encoder : Encoder
    sentences : sequence of str
    """

    def __init__(self, encoder: Encoder, sentences: Sequence[str]) -> None:
        self.tokenizer, self.sentences = encoder.tokenizer, sentences
        self.dense = embed(encoder.model, encoder.tokenizer, sentences)

    def cosines(self, model: nn.Module) -> Tensor:
        """Return one cosine per sentence."""
        return (embed(model, self.tokenizer, self.sentences) * self.dense).sum(1)

    def mean_cosine(self, model: nn.Module) -> float:
        return float(self.cosines(model).mean())


def in_encoder(name: str, module: nn.Module) -> bool:
    """Choose all layers but the pooler's, which the mean over tokens never uses."""
    return "pooler" not in name.split(".")


def linear_weights(model: nn.Module) -> dict[str, Tensor]:
    """Name -> weight of the linear layers that the tour prunes."""
    return {name: layer.weight for name, layer in linear_layers(model, in_encoder).items()}


def other_bytes(model: nn.Module) -> int:
    """Bytes of all parameters but the weights that the tour prunes."""
    own = {id(weight) for weight in linear_weights(model).values()}
    return sum(p.nbytes for p in model.parameters() if id(p) not in own)


def median_sentence(tokens: Mapping[str, Tensor], sentences: Sequence[str]) -> str:
    """Pick a sentence of median length, in tokens."""
    lengths = tokens["attention_mask"].sum(1)
    return sentences[int(torch.argsort(lengths, stable=True)[len(sentences) // 2])]
