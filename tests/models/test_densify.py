"""densify, and what other programs make of a sparse model: their savers, their loaders, their threads and processes."""

import copy
import io
import multiprocessing
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from safetensors.torch import load_model, save_model
from torch import nn

from tamis.models import densify, sparsify
from tamis.nn import SparseLinear
from tamis.pruning import prune

X = torch.randn(20, 32, generator=torch.Generator().manual_seed(0))


def mlp():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 32, bias=False))


def dense_and_sparse():
    model = mlp().eval()
    prune(model, 0.8)
    dense = copy.deepcopy(model)
    sparsify(model, X, times="predicted", replace="everywhere")
    return dense, model


def test_it_gives_the_dense_model_back():
    dense, model = dense_and_sparse()
    model[2].train()
    model[0].values.requires_grad_(False)
    bias = model[0].bias
    assert densify(model) is model
    assert [type(layer) for layer in model] == [nn.Linear, nn.ReLU, nn.Linear]
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), dense.parameters(), strict=True))
    assert model[0].bias is bias
    assert [model[0].weight.requires_grad, model[2].weight.requires_grad] == [False, True]
    assert [layer.training for layer in model] == [False, False, True]
    assert densify(model) is model


def test_a_layer_in_two_places_stays_one():
    layer = nn.Linear(32, 32)
    model = nn.Sequential(layer, nn.ReLU(), layer)
    prune(model, 0.8)
    sparsify(model, X, times="predicted", replace="everywhere")
    densify(model)
    assert type(model[0]) is nn.Linear
    assert model[0] is model[2]


def test_a_layer_alone_comes_back_dense():
    dense, model = dense_and_sparse()
    assert torch.equal(densify(model[0]).weight, dense[0].weight)


def test_what_would_be_lost_is_refused():
    _, model = dense_and_sparse()
    model[2].register_forward_hook(lambda *_: None)
    with pytest.raises(
        ValueError, match=r"densify\(model\): 2 has 1 hook, which would be lost; nothing was changed"
    ):
        densify(model)
    assert isinstance(model[0], SparseLinear)
    with pytest.raises(TypeError, match=r"densify\(model\): got dict, expected an nn\.Module"):
        densify({})


def test_plain_loaders_get_the_numbers(tmp_path):
    dense, model = dense_and_sparse()
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    plain = mlp()
    plain.load_state_dict(torch.load(file, weights_only=True), strict=True)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), dense.parameters(), strict=True))


def test_safetensors_saves_the_module_as_sentence_transformers_does(tmp_path):
    dense, model = dense_and_sparse()
    save_model(model, str(tmp_path / "model.safetensors"))
    plain = mlp()
    assert load_model(plain, str(tmp_path / "model.safetensors")) == (set(), [])
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), dense.parameters(), strict=True))


def tiny(name):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    ids = torch.randint(5, 90, (2, 12))
    sizes = {"vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    if name == "bert":
        config = transformers.BertConfig(**sizes, intermediate_size=64)
        return transformers.BertForMaskedLM(config).eval(), {"input_ids": ids}
    if name == "t5":
        config = transformers.T5Config(
            vocab_size=99, d_model=32, d_kv=16, d_ff=64, num_layers=1, num_heads=2, decoder_start_token_id=0
        )
        return transformers.T5ForConditionalGeneration(config).eval(), {
            "input_ids": ids,
            "decoder_input_ids": ids,
        }
    if name == "gpt2":
        config = transformers.GPT2Config(
            vocab_size=99, n_embd=32, n_layer=1, n_head=2, tie_word_embeddings=False
        )
        return transformers.GPT2LMHeadModel(config).eval(), {"input_ids": ids}
    config = transformers.LlamaConfig(**sizes, intermediate_size=64, tie_word_embeddings=name == "tied llama")
    return transformers.LlamaForCausalLM(config).eval(), {"input_ids": ids}


@pytest.mark.parametrize(
    ("name", "dense"),
    [
        ("bert", {"cls.predictions.decoder"}),
        ("t5", {"lm_head"}),
        ("gpt2", set()),
        ("llama", set()),
        ("tied llama", {"lm_head"}),
    ],
)
def test_save_pretrained_and_from_pretrained_keep_every_bit(tmp_path, name, dense):
    model, inputs = tiny(name)
    prune(model, 0.8)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    report = sparsify(model, inputs, times="predicted", replace="everywhere")
    assert {row.name for row in report.rows if not row.replaced} == dense  # tied to the embedding
    model.save_pretrained(tmp_path)
    loaded, notes = type(model).from_pretrained(tmp_path, output_loading_info=True)
    assert not any(notes.values())
    assert loaded.state_dict().keys() == before.keys()
    for key, tensor in loaded.state_dict().items():
        assert torch.equal(tensor, before[key]), key
    with torch.no_grad():
        torch.testing.assert_close(loaded(**inputs).logits, model(**inputs).logits, atol=1e-5, rtol=1e-5)


def test_embeddings_are_resized_or_refused_by_name():
    model, inputs = tiny("llama")
    prune(model, 0.8)
    sparsify(model, inputs, times="predicted", replace="everywhere")
    with pytest.raises(TypeError, match="SparseLinear"):
        model.resize_token_embeddings(110)
    model, inputs = tiny("llama")
    prune(model, 0.8)
    sparsify(model, inputs, times="predicted", replace="everywhere")
    densify(model).resize_token_embeddings(110)
    assert model(**inputs).logits.shape[-1] == 110


def test_ten_threads_call_one_model():
    _, model = dense_and_sparse()
    inputs = [torch.randn(n, 32) for n in (1, 2, 7, 20, 33, 64, 1, 129, 5, 260)] * 4
    with torch.no_grad():
        expected = [model(x) for x in inputs]
        with ThreadPoolExecutor(10) as threads:
            for _ in range(5):
                for y, exact in zip(threads.map(torch.no_grad()(model), inputs), expected, strict=True):
                    assert torch.equal(y, exact)


def test_copies_and_pickles_compute_the_same():
    _, model = dense_and_sparse()
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(again(X), model(X))
        assert again[0].values.data_ptr() != model[0].values.data_ptr()


def test_a_forked_child_can_call_what_its_parent_has_called():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(512, 512)).eval()
    prune(model, 0.9)
    x = torch.randn(256, 512)
    sparsify(model, x, times="predicted", replace="everywhere")
    fork = multiprocessing.get_context("fork")
    answers = fork.SimpleQueue()
    with torch.no_grad():
        expected = model(x).numpy()

        def child():
            answers.put((model(x).numpy() == expected).all())

        process = fork.Process(target=child, daemon=True)
        process.start()
        process.join()
    assert process.exitcode == 0
    assert answers.get()
