"""JSON, TOML and safetensors files, their digests, and the lock of a folder."""

import hashlib
import logging
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from tamis.storage import (
    fingerprint,
    fingerprint_of_file,
    fingerprint_of_settings,
    folder_lock,
    read_json,
    read_tensors,
    read_toml,
    sha256_of_file,
    write_json,
    write_tensors,
    write_tensors_named_by_content,
)


def test_json_comes_back_and_has_no_nan(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"x": [1, 2.5, float("nan"), float("-inf")], 3: ("é", None)})
    assert read_json(path) == {"x": [1, 2.5, None, None], "3": ["é", None]}


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_not_json_or_toml_is_a_named_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.txt: not JSON"):
        read_json(path)
    path.write_bytes(content or b"a = ")
    with pytest.raises(ValueError, match=r"a\.txt: not TOML"):
        read_toml(path)
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "none.json")


def test_toml_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('a = "é"\n[b]\nc = 1\n', encoding="utf-8")
    assert read_toml(tmp_path / "a.toml") == {"a": "é", "b": {"c": 1}}


def test_tensors_come_back_and_others_may_read_them(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    weight = torch.randn(4, 6, requires_grad=True)
    write_tensors(path, {"w": weight.T, "n": torch.tensor(3)}, {"who": "me"})
    tensors, metadata = read_tensors(path)
    assert torch.equal(tensors["w"], weight.T)
    assert tensors["n"] == 3
    assert metadata == {"who": "me"}
    (tmp_path / "plain").touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_damaged_tensors_are_a_named_error(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"w": torch.ones(3)})
    content = path.read_bytes()
    for damaged in (b"", content[:20], content[:-1]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"^load: damaged: not a whole safetensors file"):
            read_tensors(path, where="load")
    with pytest.raises(FileNotFoundError):
        read_tensors(tmp_path / "none")


def test_a_name_made_of_the_content(tmp_path: Path) -> None:
    name, sha256 = write_tensors_named_by_content(tmp_path, "model", {"w": torch.ones(3)})
    other, _ = write_tensors_named_by_content(tmp_path, "model", {"w": torch.zeros(3)})
    assert sha256_of_file(tmp_path / name) == sha256
    assert name == f"model-{sha256[:16]}.safetensors"
    assert {path.name for path in tmp_path.iterdir()} == {name, other}


def test_fingerprints(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert fingerprint("abc") == fingerprint(b"abc") == fingerprint_of_file(tmp_path / "a")
    assert fingerprint("abc", size=6) == hashlib.blake2b(b"abc", digest_size=6).hexdigest()
    assert sha256_of_file(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
    assert fingerprint_of_settings({"a": 1, "b": {"c": 2, "d": 3}}) == fingerprint_of_settings(
        {"b": {"d": 3, "c": 2}, "a": 1}
    )
    assert fingerprint_of_settings({"a": 1}) != fingerprint_of_settings({"a": 2})


HOLD_FOR_EVER = """
import sys, time
from pathlib import Path
from tamis.storage import folder_lock
with folder_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_folder_is_held_by_one_process_until_it_dies(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_FOR_EVER, tmp_path], env=environment, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    entered = threading.Event()

    def enter() -> None:
        with folder_lock(tmp_path):
            entered.set()

    with caplog.at_level(logging.WARNING, "tamis"):
        waiting = threading.Thread(target=enter)
        waiting.start()
        while waiting.is_alive() and "waiting for it" not in caplog.text:
            time.sleep(0.01)
        assert not entered.is_set()
        holder.kill()
        holder.communicate()
        waiting.join()
    assert entered.is_set()
    assert "waiting for it" in caplog.text


def test_the_lock_is_released_on_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), folder_lock(tmp_path / "new"):
        _ = 1 / 0
    with folder_lock(tmp_path / "new"):
        pass
