"""``tamis prune`` on a tiny model: what it saved loads and computes the same in a fresh process."""

import json
import re
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from tamis.cli.prune import app

from ..tour.conftest import tiny_folder  # noqa: F401

FRESH = """
import sys, torch
from safetensors.torch import save_file
from tamis.models import load_sparse
from tamis.pretrained import embed
from tamis.nn import SparseLinear
from transformers import AutoTokenizer
model = load_sparse(sys.argv[1])
assert sum(isinstance(m, SparseLinear) for m in model.modules()) == 12, model
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
save_file({"e": embed(model, tokenizer, ["We watched the eclipse."])}, sys.argv[2])
"""


@pytest.mark.parametrize("score", ["magnitude", "wanda"])
def test_saved_models_load_in_a_fresh_process(tiny_folder, tmp_path, score):  # noqa: F811
    from tamis.models import load_sparse
    from tamis.pretrained import embed, load_minilm

    out = tmp_path / "sparse"
    arguments = [str(tiny_folder), "--sparsity", "0.8", "--pattern", "4x1", "--score", score]
    arguments += ["--where", "encoder.*", "--everywhere", "-o", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "12 of 13 linear layers are sparse now" in result.output
    there = tmp_path / "e.safetensors"
    done = subprocess.run(
        [sys.executable, "-c", FRESH, str(out), str(there)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    here = embed(load_sparse(out), load_minilm(tiny_folder).tokenizer, ["We watched the eclipse."])
    assert torch.equal(load_file(there)["e"], here)


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        (["nowhere", "--sparsity", "0.8"], FileNotFoundError, "no config.json"),
        (["TINY"], ValueError, "needs sparsity="),
        (["TINY", "--sparsity", "8"], ValueError, "between 0 and 1"),
        (["TINY", "--sparsity", "0.5", "--score", "luck"], ValueError, "expected one of"),
        (["TINY", "--sparsity", "0.5", "--where", "nothing.*"], ValueError, "chooses none"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(tiny_folder, tmp_path, arguments, error, told):  # noqa: F811
    arguments = [str(tiny_folder) if a == "TINY" else a for a in arguments]
    result = CliRunner().invoke(app, [*arguments, "-o", str(tmp_path / "out")])
    assert isinstance(result.exception, error), result.output
    assert told in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_a_file_is_no_folder_to_write(tiny_folder, tmp_path):  # noqa: F811
    (tmp_path / "out").write_text("mine")
    result = CliRunner().invoke(app, [str(tiny_folder), "--sparsity", "0.5", "-o", str(tmp_path / "out")])
    assert isinstance(result.exception, ValueError)
    assert (tmp_path / "out").read_text() == "mine"


def quantised(folder):
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "compressed-tensors", "config_groups": {}}
    (folder / "config.json").write_text(json.dumps(config))


def cut_off(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])


def of_another_model(folder):
    weights = folder / "model.safetensors"
    tensors = {f"other.{name}": tensor for name, tensor in load_file(weights).items()}
    save_file(tensors, weights, metadata={"format": "pt"})


def of_another_size(folder):
    config = json.loads((folder / "config.json").read_text())
    config["intermediate_size"] *= 2
    (folder / "config.json").write_text(json.dumps(config))


def without_tokenizer(folder):
    for path in [*folder.glob("*tok*"), *folder.glob("vocab*")]:
        path.unlink()


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (quantised, r"config\.json: the weights are quantised \(compressed-tensors\)"),
        (cut_off, "transformers cannot read it: SafetensorError"),
        (of_another_model, r"the file holds no values for \d+ tensors of BertModel"),
        (of_another_size, "transformers cannot read it: RuntimeError"),
        (without_tokenizer, "there is no vocabulary of a tokenizer in it"),
    ],
)
def test_a_folder_that_cannot_be_used_is_a_named_error(tiny_folder, tmp_path, damage, told):  # noqa: F811
    folder = tmp_path / "model"
    shutil.copytree(tiny_folder, folder)
    damage(folder)
    arguments = [str(folder), "--sparsity", "0.8", "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(app, arguments)
    assert type(result.exception) is ValueError, result.output
    assert re.search(told, str(result.exception))
    assert not (tmp_path / "out").exists()
