"""The code and the commands of docs/voxel-scenes.md run."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tamis.cli.voxel import app

PAGE = Path(__file__).parents[2] / "docs" / "voxel-scenes.md"
TEXT = PAGE.read_text("utf-8") if PAGE.exists() else ""
SMALLER = {"train": ["--epochs", "1"], "segment": ["--sensor", "hdl32"], "profile": ["--sensor", "hdl32"]}


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_python_blocks_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert len(blocks("python")) == 2
    names = {}
    for block in blocks("python"):
        exec(compile(block, str(PAGE), "exec"), names)
    assert "voxels of 0.1 x 0.1 x 0.1 m" in capsys.readouterr().out


@pytest.mark.slow
def test_the_commands_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    commands = [line for block in blocks("sh") for line in block.splitlines() if line]
    assert len(commands) == 4
    for command in commands:
        program, room, *words = shlex.split(command)
        assert (program, room) == ("tamis", "voxel")
        result = CliRunner().invoke(app, [*words, *SMALLER[words[0]]])
        assert result.exit_code == 0, (command, result.output, result.exception)
    assert list((tmp_path / "labelled").glob("*.html"))
