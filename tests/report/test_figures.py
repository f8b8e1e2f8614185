"""Figures: SVG that loads nothing and takes the page's colours; files that are whole or absent."""

from pathlib import Path

import pytest

from tests.report.pages import assert_loads_nothing

pytest.importorskip("matplotlib", reason="extra tamis[report]")

from tamis.report import COLOURS, figure, mark, name_axes, save_figure, style, svg


def drawn(words: str = "a point") -> str:
    with style():
        made, (axes,) = figure(400, 200)
        (dot,) = axes.plot([1], [2], "o", color=COLOURS[0])
        mark(dot, words)
        name_axes(axes, "x", "y")
        return svg(made, 'a "label" & more')


def test_an_svg_takes_the_colours_of_the_page() -> None:
    text = drawn()
    assert text.startswith(
        '<svg viewBox="0 0 400 200" role="img" aria-label="a &quot;label&quot; &amp; more"'
    )
    assert "var(--a)" in text
    assert COLOURS[0] not in text
    assert "<g><title>a point</title>" in text
    assert_loads_nothing(text)


def test_marks_are_escaped_and_drawing_twice_gives_the_same() -> None:
    assert "<b>" not in drawn("<b>&\"'")
    assert drawn() == drawn()


def test_panels_come_row_by_row() -> None:
    with style():
        _, panels = figure(300, 200, rows=2, columns=3, sharey=True)
    assert len(panels) == 6


def test_files(tmp_path: Path) -> None:
    with style():
        made, _ = figure(72, 36)
        save_figure(made, tmp_path / "a.png")
        save_figure(made, tmp_path / "a.svg")
        with pytest.raises(ValueError, match=r"'a\.doc' must end in \.png or \.svg"):
            save_figure(made, tmp_path / "a.doc")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "a.svg"}
