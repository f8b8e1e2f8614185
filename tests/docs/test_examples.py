"""The examples in the docstrings of the public names run, and every public name has one."""

import doctest
import inspect
from pathlib import Path

import pytest
import torch

import tamis

PUBLIC = {name: found for name in tamis.__all__ if not inspect.ismodule(found := getattr(tamis, name))}


@pytest.mark.parametrize("name", PUBLIC)
def test_the_examples_of_a_public_name_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = inspect.getdoc(PUBLIC[name]) or ""
    names = {"torch": torch, "nn": torch.nn, "tamis": tamis, name: PUBLIC[name]}
    example = doctest.DocTestParser().get_doctest(text, names, name, None, None)
    assert example.examples, f"tamis.{name} has no example"
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(example)
    assert not runner.failures, capsys.readouterr().out
