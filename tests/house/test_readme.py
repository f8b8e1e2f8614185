"""The code that the front door and the room's page show runs as it stands."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", ["README.md", "docs/spmm.md"])
def test_python_blocks_run(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, page, "exec"), {})


@pytest.mark.parametrize(
    "page",
    ["README.md", "ARCHITECTURE.md", *sorted(p.relative_to(ROOT).as_posix() for p in ROOT.glob("docs/*.md"))],
)
def test_links_and_paths_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    named = re.findall(r"\bdocs/[\w/.-]+\.(?:md|csv|png|html)", text)
    missing = [link for link in links if not ((ROOT / page).parent / link).exists()]
    missing += [path for path in named if not (ROOT / path).exists()]
    assert not missing
