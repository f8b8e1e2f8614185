"""``tamis prune`` on a tiny model: what it saved loads and computes the same in a fresh process."""

import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file
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
