"""Streams of text encoders: one vector per token of the transcript (RoBERTa, ModernBERT, MiniLM and their kin)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tamis.emotion.data import StreamInfo
from tamis.emotion.streams.encoder import (
    LayerRule,
    check_rule,
    choose_layers,
    fingerprint,
    hidden_states,
    layers_kept,
    pooled,
    source,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MODEL_TYPES = ("roberta", "xlm-roberta", "modernbert", "bert", "mpnet", "deberta-v2", "electra")
MOST_TOKENS = 512


class TokenStream:
    """Hidden states of the tokens of a transcript, special tokens stripped; an empty transcript is one zero vector.

    Parameters
    ----------
    model : PreTrainedModel
        The bare encoder.
    tokenizer : PreTrainedTokenizerBase
    layers : LayerRule
    pool : int
        Average this many tokens into one.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        layers: LayerRule = "last4",
        pool: int = 1,
        name: str = "text",
    ) -> None:
        self.model, self.tokenizer, self.layers, self.pool = model, tokenizer, layers, pool
        states = model.config.num_hidden_layers + 1
        check_rule(layers, states, name)
        self.states = states
        self.most_tokens = most_tokens(model)
        self.info = StreamInfo(
            dim=model.config.hidden_size,
            layers=layers_kept(layers, states),
            frame_rate_hz=None,
            extra=source("text", encoder=name, layers=layers, pool=pool),
        )
        words = tokenizer("The quick brown fox, and 1 more!")["input_ids"]
        self.recipe = f"text/1 {fingerprint(model)} {words} layers={layers} pool={pool}"

    @torch.inference_mode()
    def encode(self, clips: Sequence[str]) -> list[Tensor]:
        batch = self.tokenizer(
            [" ".join(text.split()) for text in clips],
            padding=True,
            truncation=True,
            max_length=self.most_tokens,
            return_special_tokens_mask=True,
            return_attention_mask=True,
            return_tensors="pt",
        )
        words = batch["attention_mask"].bool() & ~batch["special_tokens_mask"].bool()
        output = self.model(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], output_hidden_states=True
        )
        states = hidden_states(output)
        return [self.one(states, i, keep) for i, keep in enumerate(words)]

    def one(self, states: Sequence[Tensor], i: int, keep: Tensor) -> Tensor:
        if not keep.any():
            shape = (1, self.info.dim) if self.info.layers is None else (self.states, 1, self.info.dim)
            return torch.zeros(shape)
        return pooled(choose_layers([state[i][keep] for state in states], self.layers), self.pool)


def most_tokens(model: PreTrainedModel) -> int:
    """Tokens that fit, special ones counted. RoBERTa numbers its positions from ``pad_token_id + 1``."""
    positions = int(model.config.max_position_embeddings)
    if model.config.model_type in ("roberta", "xlm-roberta", "mpnet"):
        positions -= int(model.config.pad_token_id) + 1
    return min(MOST_TOKENS, positions)
