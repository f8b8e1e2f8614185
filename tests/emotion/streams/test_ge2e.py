"""The speaker encoder's stream, from a small file of our own and, where it is installed, from the package."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tamis.emotion.streams.ge2e import SpeakerStream
from tamis.emotion.streams.named import open_stream

SPEECH = np.random.default_rng(0).standard_normal(16_000).astype(np.float32) * 0.01


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    lstm = nn.LSTM(40, 256, num_layers=3, batch_first=True)
    torch.save({"model_state": {f"lstm.{k}": v for k, v in lstm.state_dict().items()}}, tmp_path / "w.pt")
    return tmp_path / "w.pt"


def test_layers_are_those_of_the_stacked_network(weights: Path) -> None:
    torch.manual_seed(0)
    whole = nn.LSTM(40, 256, num_layers=3, batch_first=True)
    stream = SpeakerStream("all", weights=weights)
    (states,) = stream.encode([SPEECH])
    assert states.shape == (3, 101, 256)
    from tamis.emotion.streams.ge2e import mel_spectrum

    with torch.inference_mode():
        expected, _ = whole(mel_spectrum(SPEECH, stream.mel)[None])
    torch.testing.assert_close(states[2], expected[0])


@pytest.mark.parametrize(("layers", "shape"), [("all", (3, 26, 256)), ("last", (26, 256)), (1, (26, 256))])
def test_layers_and_pooling(weights: Path, layers: str | int, shape: tuple[int, ...]) -> None:
    stream = SpeakerStream(layers, 4, weights)  # type: ignore[arg-type]
    assert stream.encode([SPEECH])[0].shape == shape
    assert stream.info.layers == (3 if layers == "all" else None)
    assert stream.info.frame_rate_hz == 25


def test_level_does_not_matter_below_the_usual(weights: Path) -> None:
    stream = SpeakerStream("last", weights=weights)
    quiet, quieter = stream.encode([SPEECH * 0.5, SPEECH * 0.1])
    torch.testing.assert_close(quiet, quieter, atol=1e-4, rtol=1e-3)


def test_clips_of_any_length(weights: Path) -> None:
    stream = SpeakerStream("all", 4, weights)
    for clip in (SPEECH[:1], SPEECH[:50], np.zeros(900, dtype=np.float32)):
        (states,) = stream.encode([clip])
        assert states.shape[1] >= 1
        assert states.isfinite().all()


def test_mistakes(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected 'all', 'last' or 0 to 2"):
        SpeakerStream("sum_last_4", weights=weights)
    (tmp_path / "bad.pt").write_bytes(b"nothing")
    torch.save({"model_state": {}}, tmp_path / "empty.pt")
    for name in ("bad.pt", "empty.pt"):
        with pytest.raises(ValueError, match="does not hold"):
            SpeakerStream(weights=tmp_path / name)


@pytest.mark.skipif(find_spec("resemblyzer") is not None, reason="Resemblyzer is installed")
def test_without_the_package() -> None:
    with pytest.raises(ModuleNotFoundError, match="--no-deps resemblyzer"):
        open_stream("ge2e")


@pytest.mark.skipif(find_spec("resemblyzer") is None, reason="Resemblyzer is not installed")
def test_packaged_network_hears_pitch() -> None:
    stream = open_stream("ge2e", "all", 4).encoder
    t = np.arange(16_000) / 16_000
    low, high = (
        sum(np.sin(2 * np.pi * k * f * t) / k for k in range(1, 20)).astype(np.float32) * 0.1
        for f in (100, 220)
    )
    a, b, again = stream.encode([low, high, low])
    assert torch.equal(a, again)
    assert (a[:, 5:].mean(1) - b[:, 5:].mean(1)).abs().max() > 0.05
