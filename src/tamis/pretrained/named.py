"""A packaged model by its name."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import nn

from tamis.pretrained.minilm import MINILM_L6, MiniLM, load_minilm
from tamis.pretrained.whisper import TINY_EN, TinyEn, load_tiny_en

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

# To add a model, write its reader in a file of its own and name it here.
READERS: dict[str, Callable[[], MiniLM | TinyEn]] = {MINILM_L6: load_minilm, TINY_EN: load_tiny_en}
NAMES = tuple(READERS)
"""Names that :func:`load` knows."""


def load(name: str) -> tuple[nn.Module, PreTrainedTokenizerBase | Tokenizer]:
    """Load a packaged model and its tokenizer, without network.

    Parameters
    ----------
    name : str
        ``"minilm-l6"``, a sentence encoder (``BertModel``, see :func:`embed`), or ``"whisper-tiny.en"``, a speech
        recogniser (``WhisperForConditionalGeneration``).

    Returns
    -------
    model : nn.Module
        A class of ``transformers``, float32, in eval mode.
    tokenizer : PreTrainedTokenizerBase (MiniLM) or tokenizers.Tokenizer (Whisper)

    Raises
    ------
    ValueError            if the name is not known; the message lists those that are.
    ModuleNotFoundError   if the package that holds the weights, or ``transformers``, is not installed.

    Examples
    --------
    >>> model, tokenizer = load("minilm-l6")  # doctest: +SKIP
    """
    if not isinstance(name, str) or name not in READERS:
        near = difflib.get_close_matches(str(name), NAMES, n=1)
        raise ValueError(
            f"tamis.pretrained.load({name!r}): expected one of {', '.join(map(repr, NAMES))}"
            + (f"; did you mean {near[0]!r}?" if near else ".")
        )
    loaded = READERS[name]()
    return loaded.model, loaded.tokenizer
