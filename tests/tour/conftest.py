"""A BERT of two narrow layers with random weights and a tokenizer of its own: the tour in seconds, without packages of weights."""

import re

import pytest
import torch

from tamis.tour.calibration_sentences import CALIBRATION
from tamis.workloads import SENTENCES


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    transformers = pytest.importorskip("transformers", reason="extra tamis[models]")
    folder = tmp_path_factory.mktemp("tiny")
    words = sorted(set(re.findall(r"[a-z]+|[^\sa-z]", " ".join((*SENTENCES, *CALIBRATION)).lower())))
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]))
    tokenizer = transformers.BertTokenizerFast(str(folder / "vocab.txt"))
    tokenizer.save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(words) + 5,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=64,
    )
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(tiny_folder):
    from tamis.pretrained import load_minilm
    from tamis.tour import Encoder

    loaded = load_minilm(tiny_folder)
    return Encoder(loaded.model, loaded.tokenizer)
