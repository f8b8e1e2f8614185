"""Models of transformers are rebuilt from the saved folder alone, and nothing else is."""

import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

transformers = pytest.importorskip("transformers")
from torch import nn  # noqa: E402

from tamis.models import load_sparse, save_sparse, sparsify  # noqa: E402
from tamis.models.architecture import Architecture, build, describe  # noqa: E402
from tamis.pruning import prune  # noqa: E402

IDS = torch.arange(12).reshape(2, 6)


def bert(cls="BertModel", **config):
    torch.manual_seed(0)
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    return getattr(transformers, cls)(transformers.BertConfig(vocab_size=50, **small, **config)).eval()


def sparse_bert(folder, cls="BertModel", **config):
    model = bert(cls, **config)
    prune(model, 0.8)
    sparsify(model, {"input_ids": IDS}, times="predicted", replace="everywhere")
    save_sparse(model, folder)
    return model


def logits(model):
    with torch.no_grad():
        return model(input_ids=IDS)[0]


LOAD = """
import sys, torch
from safetensors.torch import save_file
from tamis.models import load_sparse
model = load_sparse(sys.argv[1])
with torch.no_grad():
    save_file({"y": model(input_ids=torch.arange(12).reshape(2, 6))[0], "n": torch.tensor(len(model.state_dict()))}, sys.argv[2])
"""


def test_a_fresh_process_needs_the_folder_only(tmp_path):
    model = sparse_bert(tmp_path / "model")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "HF_HUB_OFFLINE": "1"}
    out = tmp_path / "y.safetensors"
    subprocess.run([sys.executable, "-c", LOAD, tmp_path / "model", out], env=environment, check=True)
    result = load_file(out)
    assert torch.equal(result["y"], logits(model))
    assert int(result["n"]) == len(model.state_dict())


@pytest.mark.parametrize(
    ("cls", "config"),
    [
        ("BertForSequenceClassification", {"num_labels": 5}),
        ("BertForMaskedLM", {}),
        ("BertForMaskedLM", {"tie_word_embeddings": False}),
        ("BertModel", {"attn_implementation": "eager"}),
    ],
)
def test_class_head_ties_and_attention_come_back(tmp_path, cls, config):
    model = sparse_bert(tmp_path, cls, **config)
    loaded = load_sparse(tmp_path)
    assert type(loaded) is type(model)
    assert not loaded.training
    assert loaded.config._attn_implementation == model.config._attn_implementation
    assert torch.equal(logits(loaded), logits(model))


def test_where_the_model_came_from_is_not_saved(tmp_path):
    model = bert()
    model.config._name_or_path = "/home/somebody/models"
    save_sparse(model, tmp_path)
    assert "somebody" not in (tmp_path / "tamis.json").read_text()


def test_only_classes_of_transformers_are_described():
    class Mine(transformers.BertModel):
        pass

    assert describe(nn.Linear(2, 2)) is None
    assert describe(Mine(bert().config)) is None
    assert describe(bert()).name == "BertModel"


def hostile(tmp_path, **changes):
    save_sparse(bert(), tmp_path)
    path = tmp_path / "tamis.json"
    content = json.loads(path.read_text())
    content["architecture"].update(changes)
    path.write_text(json.dumps(content))
    return tmp_path


@pytest.mark.parametrize(
    "name", ["os", "AutoModel", "BertConfig", "pipeline", "", "__builtins__", "BertModel.forward"]
)
def test_other_names_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match="transformers has no model"):
        load_sparse(hostile(tmp_path, name=name))


def test_attention_from_elsewhere_is_refused(tmp_path):
    with pytest.raises(ValueError, match="attention is 'somebody/kernels', expected one of"):
        load_sparse(hostile(tmp_path, attention="somebody/kernels"))


def test_a_config_cannot_name_code(tmp_path):
    config = describe(bert()).config | {
        "auto_map": {"AutoModel": "somebody/repo--code.Model"},
        "attn_implementation": "somebody/kernels",
        "_attn_implementation": "somebody/kernels",
    }
    loaded = load_sparse(hostile(tmp_path, config=config))
    assert loaded.config._attn_implementation == "sdpa"
    assert not hasattr(loaded.config, "auto_map")


@pytest.mark.parametrize(
    "config",
    [{}, {"model_type": "nonsense"}, {"model_type": "bert", "hidden_size": "wide"}, {"model_type": "t5"}],
)
def test_a_config_that_builds_nothing_is_a_value_error(config):
    with pytest.raises(ValueError, match="cannot build BertModel from the saved config"):
        build(Architecture("BertModel", config, "sdpa"))


def test_a_missing_library_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'tamis\[models\]'"):
        build(Architecture("BertModel", {}, "sdpa"))
