"""kill -9 at random moments: what is written again afterwards must be, bit for bit, what an undisturbed run writes.

``python -m tests.campaign.kills --kills 100 --minutes 10`` (``make kills``) takes the verbs in turn: a run into an empty folder is killed up to three
times at moments drawn over its length, then left to end; then its files are compared. Tiny inputs, so that most kills hit work
instead of imports: the runs are forked from a process that has imported everything and has computed nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np

MOST_IN_A_ROW = 3
PRIVATE = (".lock", "resume.pt")
"""Files that are there to be held, or to be resumed from."""
TRAINING = """
features = "set"
output = "out"
[splits]
folds = 2
[streams]
audio = { stream = "audio", pool = 2 }
text = { stream = "text" }
[architecture]
width = 16
hidden = 16
[optimisation]
batch_size = 8
[natural]
epochs = 2
learning_rate = 3e-3
[balanced]
epochs = 2
[meta]
runs = 2
natural = { epochs = 2, learning_rate = 1e-2 }
balanced = { epochs = 2, learning_rate = 1e-2 }
[[members]]
name = "ridge"
streams = ["text"]
kind = "ridge"
[[members]]
name = "both"
streams = ["audio", "text"]
"""


@dataclass(frozen=True)
class Verb:
    """``prepare`` makes the inputs in a folder; ``command`` are the words of ``tamis`` that write to ``out`` beside them.

    A verb that holds its folder ``alone`` leaves no half-written files of killed runs; the others leave young ones to whoever may still write.
    """

    prepare: Callable[[Path], None]
    command: tuple[str, ...]
    alone: bool = False


@dataclass
class Outcome:
    """Kills that hit a run before its end, and what differed: one line each."""

    kills: int = 0
    rounds: int = 0
    differences: list[str] = field(default_factory=list)


def tiny_bert(folder: Path) -> None:
    """A sentence encoder of two layers, as transformers writes it."""
    from transformers import BertConfig, BertModel, BertTokenizer

    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *"abcdefghijklmnopqrstuvwxyz",
        *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz"),
    ]
    folder.joinpath("vocab.txt").write_text("\n".join(words))
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
    )
    BertModel(config).save_pretrained(folder / "bert")
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder / "bert")


def recordings(folder: Path) -> None:
    import soundfile

    rows = ["path,emotion,speaker,text"]
    for i in range(24):
        t = np.arange(8000) / 16_000
        soundfile.write(folder / f"{i}.wav", 0.2 * np.sin(2 * np.pi * (100 + 20 * i) * t), 16_000)
        rows.append(f"{i}.wav,{'sad' if i % 2 else 'happy'},s{i // 6},well then")
    (folder / "mine.csv").write_text("\n".join(rows))


def feature_set(folder: Path) -> None:
    from tamis.emotion.data import SynthRecipe, write_synthetic

    write_synthetic(folder / "set", SynthRecipe(speakers=6, utterances=6, categories=("angry", "sad")))
    (folder / "run.toml").write_text(TRAINING)


def scan(folder: Path) -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate(
        [rng.uniform(-20, 20, (3000, 2)), rng.normal(-1.7, 0.05, (3000, 1)), rng.random((3000, 1))], axis=1
    )
    points.astype(np.float32).tofile(folder / "scan.bin")


VERBS = MappingProxyType(
    {
        "prune": Verb(
            tiny_bert,
            ("prune", "bert", "--sparsity", "0.8", "--method", "wanda", "--everywhere", "-o", "out"),
        ),
        "features": Verb(
            recordings,
            (
                "emotion",
                "features",
                "csv",
                "mine.csv",
                "-o",
                "out",
                "--stream",
                "low=low-level",
                "--variant",
                "noise15",
            ),
            alone=True,
        ),
        "train": Verb(feature_set, ("emotion", "train", "run.toml"), alone=True),
        "segment": Verb(scan, ("voxel", "segment", "scan.bin", "-o", "out")),
    }
)


def campaign(
    verbs: Mapping[str, Verb], kills: int, seconds: float, seed: int, say: Callable[[str], None]
) -> dict[str, Outcome]:
    """Kill the verbs in turn until there were so many kills, or so much time is over."""
    outcomes = {name: Outcome() for name in verbs}
    ends, moments = time.monotonic() + seconds, random.Random(seed)
    with tempfile.TemporaryDirectory() as place:
        whole = {}
        for name, verb in verbs.items():
            whole[name] = undisturbed(Path(place) / name, verb)
            say(f"{name}: {whole[name][1]:.1f} s undisturbed, {len(whole[name][0])} files")
        while sum(o.kills for o in outcomes.values()) < kills and time.monotonic() < ends:
            for name, verb in verbs.items():
                one_round(Path(place) / name, verb, *whole[name], moments, outcomes[name])
                say(
                    f"{name}: {outcomes[name].kills} kills in {outcomes[name].rounds} runs, {len(outcomes[name].differences)} differences"
                )
                if sum(o.kills for o in outcomes.values()) >= kills or time.monotonic() >= ends:
                    break
    return outcomes


def undisturbed(place: Path, verb: Verb) -> tuple[dict[str, bytes], float]:
    """Files of a run that nobody kills, and how long it took; a second run must write the same."""
    place.mkdir()
    ended_well(forked(lambda: verb.prepare(place)))
    found = []
    for _ in range(2):
        start = time.monotonic()
        ended_well(forked(lambda: call(place, verb)))
        took = time.monotonic() - start
        found.append(contents(place / "out"))
        shutil.rmtree(place / "out")
    if differences := compared(found[0], found[1]):
        raise AssertionError(f"two undisturbed runs differ: {differences}")
    return found[0], took


def one_round(
    place: Path, verb: Verb, whole: dict[str, bytes], took: float, moments: random.Random, outcome: Outcome
) -> None:
    """One run, killed some times, then left to end."""
    told = []
    for _ in range(moments.randint(1, MOST_IN_A_ROW)):
        moment = (
            moments.random() ** 2 * took
        )  # early ones more often: a loaded machine was slower when it was timed
        child = forked(lambda: call(place, verb))
        child.join(moment)
        if child.exitcode is not None:
            break
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        outcome.kills += 1
        told.append(f"{moment:.2f} s")
    ended_well(forked(lambda: call(place, verb)))
    outcome.rounds += 1
    found = compared(whole, contents(place / "out"))
    if verb.alone:
        found += [f"{part.name} is left over" for part in (place / "out").rglob(".*.part")]
    outcome.differences += [f"killed at {', '.join(told)} of {took:.2f} s: {line}" for line in found]
    shutil.rmtree(place / "out")


def compared(whole: Mapping[str, bytes], killed: Mapping[str, bytes]) -> list[str]:
    differ = [
        f"{name} differs" for name in sorted(whole.keys() & killed.keys()) if whole[name] != killed[name]
    ]
    return [
        *(f"{n} is missing" for n in sorted(whole.keys() - killed.keys())),
        *(f"{n} is left over" for n in sorted(killed.keys() - whole.keys())),
        *differ,
    ]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in PRIVATE and not path.name.endswith(".part")
    }


def call(place: Path, verb: Verb) -> None:
    """The command, in this process, in the folder of its inputs."""
    from tamis.cli.main import app, typer

    os.chdir(place)
    typer.main.get_command(app)(list(verb.command), standalone_mode=False)


def forked(work: Callable[[], None]) -> multiprocessing.process.BaseProcess:
    child = multiprocessing.get_context("fork").Process(target=quietly, args=(work,))
    child.start()
    return child


def quietly(work: Callable[[], None]) -> None:
    import torch

    torch.set_num_threads(1)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        try:
            work()
        except BaseException:
            traceback.print_exc()
            raise


def ended_well(child: multiprocessing.process.BaseProcess) -> None:
    child.join()
    if child.exitcode != 0:
        raise AssertionError(f"a run that nobody killed ended with {child.exitcode}")


def import_everything() -> None:
    """So that children begin with work; nothing is computed here, since threads do not survive a fork."""
    import soundfile  # noqa: F401
    import transformers  # noqa: F401
    from transformers import AutoModel, AutoTokenizer, BertModel, BertTokenizer  # noqa: F401

    import tamis.cli.emotion
    import tamis.cli.prune
    import tamis.cli.voxel
    import tamis.emotion.evaluation
    import tamis.emotion.streams
    import tamis.tour
    import tamis.voxel.pictures
    import tamis.voxel.segmentation  # noqa: F401


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verbs", default=",".join(VERBS))
    arguments = parser.parse_args()
    import_everything()
    chosen = {name: VERBS[name] for name in arguments.verbs.split(",")}
    outcomes = campaign(
        chosen, arguments.kills, arguments.minutes * 60, arguments.seed, lambda line: print(line, flush=True)
    )
    for name, outcome in outcomes.items():
        print(f"{name}: {outcome.kills} kills, {outcome.rounds} runs, {len(outcome.differences)} differences")
        for line in outcome.differences:
            print(f"  {line}")
    print(f"{sum(o.kills for o in outcomes.values())} kills in all")
    sys.exit(any(o.differences for o in outcomes.values()))


if __name__ == "__main__":
    main()
