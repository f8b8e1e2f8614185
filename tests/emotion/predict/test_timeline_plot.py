"""The timeline of a prediction: a page that is whole, escaped and offline."""

import pytest
from tests.report.pages import assert_loads_nothing, assert_whole

from tamis.emotion.predict.result import EmotionResult, Moment
from tamis.emotion.predict.timeline_plot import plot_timeline

pytest.importorskip("matplotlib", reason="extra tamis[emotion]")

VOTES = {"angry": 0.25, "no<b>": 0.75}
RESULT = EmotionResult(
    "call <1>.wav",
    9.0,
    True,
    votes=VOTES,
    p_disagree=0.375,
    transcript="</blockquote><script>alert(1)</script>",
    timeline=(Moment(0.0, 3.0, VOTES, None), Moment(6.0, 9.0, VOTES, None)),
)


def test_the_page_is_whole_and_escaped(tmp_path):
    text = plot_timeline(RESULT, tmp_path / "t.html").read_text(encoding="utf-8")
    assert_whole(text)
    assert_loads_nothing(text)
    assert "<h1>call &lt;1&gt;.wav</h1>" in text
    assert "<script>alert" not in text
    assert "<b>" not in text
    assert "probability 38 %" in text
    assert text.count('data-v="0.75">75 %</td>') == 2
