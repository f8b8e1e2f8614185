"""A file is the old one or the new one, whenever its writer is killed."""

import os
import random
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tamis.storage import remove_leftovers, write_bytes, write_text, written_beside
from tamis.storage.beside import part_for

WRITE_FOR_EVER = """
import itertools, sys
from tamis.storage import written_beside
for i in itertools.count():
    with written_beside(sys.argv[1]) as part, part.open("w") as file:
        for _ in range(2000):
            file.write(f"{i}\\n")
            file.flush()
    print(i, flush=True)
"""


def test_kill_in_the_middle_of_a_write_leaves_old_or_new_never_half(tmp_path: Path) -> None:
    path = tmp_path / "numbers.txt"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    moments = random.Random(0)
    interrupted = 0
    for _ in range(6):
        command = [sys.executable, "-c", WRITE_FOR_EVER, str(path)]
        writer = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(moments.uniform(0, 0.05))
        writer.kill()
        writer.communicate()
        lines = path.read_text().splitlines()
        assert len(lines) == 2000
        assert len(set(lines)) == 1
        interrupted += any(tmp_path.glob(".*.part"))
        remove_leftovers(tmp_path)
        assert [p.name for p in tmp_path.iterdir()] == ["numbers.txt"]
    assert interrupted, "no kill hit a write: the test showed nothing"


def test_an_error_in_the_block_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with (
        pytest.raises(UnicodeEncodeError),
        written_beside(path) as part,
        part.open("w", encoding="ascii") as file,
    ):
        file.writelines(["half of the n", "é"])
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), written_beside(tmp_path / "a.txt"):
        pass
    assert not list(tmp_path.iterdir())


def test_bytes_and_text_arrive_as_they_are_in_folders_that_are_made(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "deep" / "a.txt", "é\r\n\n")
    assert (tmp_path / "new" / "deep" / "a.txt").read_bytes() == b"\xc3\xa9\r\n\n"
    write_bytes(tmp_path / "b", b"\0\xff")
    assert (tmp_path / "b").read_bytes() == b"\0\xff"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    place, link = tmp_path / "place" / "a.txt", tmp_path / "link.txt"
    write_text(place, "old")
    link.symlink_to(place)
    write_text(link, "new")
    assert link.is_symlink()
    assert place.read_text() == "new"


def test_others_may_read_what_the_umask_allows(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "x")
    (tmp_path / "plain.txt").write_text("x")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a.txt", "plain.txt")}
    assert len(modes) == 1


def test_threads_do_not_share_a_part(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    start = threading.Barrier(4)

    def write(text: str) -> None:
        start.wait()
        for _ in range(25):
            write_text(path, text * 1000)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in {letter * 1000 for letter in "abcd"}
    assert list(tmp_path.iterdir()) == [path]


def test_parts_that_may_belong_to_a_living_writer_stay(tmp_path: Path) -> None:
    with part_for(tmp_path / "young") as young, part_for(tmp_path / "sub" / "old") as old:
        young.touch()
        old.touch()
        os.utime(old, (time.time() - 7200,) * 2)
        remove_leftovers(tmp_path, older_than_s=3600)
        assert young.exists()
        assert not old.exists()
        remove_leftovers(tmp_path)
        assert not young.exists()
