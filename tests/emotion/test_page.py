"""The code of docs/emotion.md runs, in order."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "emotion.md"


def test_the_code_of_the_page_runs(tmp_path, monkeypatch):
    for package in ("soundfile", "soxr", "pyarrow", "transformers"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) == 4
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, PAGE.name, "exec"), namespace)


def test_every_format_and_encoder_of_the_page_is_known():
    from tamis.emotion.corpora.named import READERS
    from tamis.emotion.streams.named import OFFLINE

    text = PAGE.read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in (*READERS, *OFFLINE))


def test_the_command_lines_of_the_page_exist():
    from tamis.cli.emotion import app

    verbs = {command.name or command.callback.__name__ for command in app.registered_commands}
    named = set(re.findall(r"^tamis emotion (\w+)", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert named <= verbs
