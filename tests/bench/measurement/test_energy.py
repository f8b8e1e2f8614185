"""Energy counters, on a folder that looks like the kernel's."""

import itertools

import pytest

from tamis.bench.measurement import energy


def package(root, name, microjoules, wrap=1_000_000):
    folder = root / name
    folder.mkdir(exist_ok=True)
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text(f"{wrap}\n")


@pytest.fixture
def clock(monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr(energy, "perf_counter", lambda: float(next(ticks)))


def test_no_counter_no_figure(tmp_path):
    assert energy.joules_per_call(lambda: None, root=tmp_path) is None
    assert energy.joules_per_call(lambda: None, root=tmp_path / "absent") is None


@pytest.mark.parametrize("start", [100, 999_900])
def test_packages_add_up_and_counters_wrap(tmp_path, clock, start):
    drawn = itertools.count(1)

    def call():
        package(tmp_path, "intel-rapl:0", (start + 300 * next(drawn)) % 1_000_000)

    package(tmp_path, "intel-rapl:0", start)
    package(tmp_path, "intel-rapl:1", 5)
    package(tmp_path, "intel-rapl:0:0", 5)  # a part of package 0, not another one
    assert energy.joules_per_call(call, seconds=3.5, root=tmp_path) == pytest.approx(300e-6)


def test_unreadable_counters_are_none(tmp_path):
    (tmp_path / "intel-rapl:0").mkdir()
    assert energy.joules_per_call(lambda: None, root=tmp_path) is None
