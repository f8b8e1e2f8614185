"""The voxel suite: gated, complete, and honest about who could not take part."""

import csv
import os

import pytest
import torch

from tamis.bench.measurement import Machine, Unavailable
from tamis.bench.voxel import layers, maps, memory, peers, report, suite
from tamis.bench.voxel import networks as networks_bench
from tamis.bench.voxel import scenes as bench_scenes
from tamis.bench.voxel.maps import _problem
from tamis.bench.voxel.rows import VoxelRow
from tamis.ops.kernel_map import KernelMap
from tamis.voxel import kernel_map, networks, plan, scenes

MACHINE = Machine("cpu", "a cpu", "avx2", 1, "torch 2", "abc", 100.0)
SMALL = "small"


@pytest.fixture(autouse=True)
def small_scene(monkeypatch):
    monkeypatch.setitem(
        bench_scenes._MAKERS, SMALL, lambda: bench_scenes._cells(scenes.solid_object(0, 32), 1.0)
    )


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (5, 1), (2, 2), (3, 2)])
@pytest.mark.parametrize("name", ["searchsorted", "hash_packed", "hash_unpacked", "spconv"])
def test_peer_maps_agree_with_ours(name, kernel, stride):
    problem, _ = _problem(bench_scenes.coordinates(SMALL), kernel, stride)
    try:
        search = maps._PEERS[name](problem)
    except Unavailable as reason:
        pytest.skip(str(reason))
    ours = kernel_map(problem.source_coords, kernel, stride).out_in
    assert torch.equal(search.table(search.run()), ours)


def test_a_wrong_map_is_not_timed(monkeypatch):
    def wrong(problem):
        right = peers.searchsorted(problem)
        return peers.MapSearch(right.run, lambda rows: right.table(rows) + 1)

    monkeypatch.setitem(maps._PEERS, "hash_packed", wrong)
    rows = {row.contestant: row for row in maps.measure((SMALL, 3, 1), 0.01)}
    assert rows["hash_packed"].status == "refused"
    assert rows["hash_packed"].median_us is None
    assert rows["tamis"].status == "ok"
    assert rows["tamis"].ratio == 1
    assert rows["searchsorted"].ratio == pytest.approx(
        rows["searchsorted"].median_us / rows["tamis"].median_us
    )


def test_a_wrong_layer_is_not_timed(monkeypatch):
    right = peers.gather_mm
    monkeypatch.setattr(layers, "gather_mm", lambda *arguments: lambda: right(*arguments)() * 1.001)
    rows = {row.contestant: row for row in layers.measure((SMALL, 8, 16, 3), 0.01)}
    assert rows["gather_mm"].status == "refused"
    assert rows["tamis"].status == rows["dense_mm"].status == "ok"
    assert {"reference_output_stationary", "reference_weight_stationary", "reference_hybrid"} <= set(rows)
    assert rows["tamis"].gflops == pytest.approx(
        2 * rows["tamis"].pairs * 128 / rows["tamis"].median_us / 1e3
    )


def test_absent_spconv_is_a_reason(monkeypatch):
    def absent():
        raise Unavailable("spconv is not installed")

    monkeypatch.setattr(peers, "_spconv", absent)
    rows = {row.contestant: row for row in maps.measure((SMALL, 3, 1), 0.01)}
    assert (rows["spconv"].status, rows["spconv"].note) == ("unavailable", "spconv is not installed")


def test_networks_have_three_totals_and_ablations():
    rows = {row.contestant: row for row in networks_bench.measure(("SparseResNet21D", SMALL), 0.02)}
    ours = rows["tamis"]
    assert min(ours.sort_us, ours.feature_us, ours.gemm_us) > 0
    assert ours.pairs > 0
    assert rows["reference_weight_stationary"].max_error < 1e-4
    assert {"tamis_maps_layer_by_layer", "reference_output_stationary"} <= set(rows)


def test_streaming_percentiles_are_ordered(monkeypatch):
    monkeypatch.setattr(networks_bench, "frame", lambda number, size: bench_scenes.coordinates(SMALL))
    (row,) = networks_bench.stream("SparseResNet21D", 5)
    assert 0 < row.median_us <= row.p95_us <= row.p99_us
    assert row.samples == 5


def test_a_run_needs_weights_live_features_plan_and_at_most_a_fifth_more(monkeypatch):
    tunables = memory._ALLOCATORS["tamis_blocks_returned"]
    monkeypatch.setattr(memory, "_ALLOCATORS", {"tamis": tunables})
    (row,) = memory.measure(("MinkUNet14", "street_0.10"))
    if row.status == "unavailable":
        pytest.skip(row.note)
    assert row.weight_bytes > 40e6
    assert row.live_bytes > 60e6
    assert 0.8 < row.memory_over_need < 1.2


def test_live_features_are_counted_as_the_network_holds_them():
    coords = bench_scenes.coordinates(SMALL)
    unet = plan(networks.MinkUNet14(4, width=0.5).eval(), coords)
    rows = [len(keys) for keys in unet.level_keys]
    # The last stage's first block: concatenated input (48 + 16), both convolutions and the shortcut (48 each); the cloud's input.
    assert memory.live_feature_bytes(unet) == 4 * rows[0] * (64 + 3 * 48 + 4)
    chain = plan(networks.SparseResNet21D(4).eval(), coords)
    assert memory.live_feature_bytes(chain) < memory.live_feature_bytes(unet)
    assert memory._kept_for_decoder(["strided", "strided", "submanifold", "transposed"]) == {1}


def test_larger_clouds_have_one_row_each(monkeypatch):
    (row,) = maps.scaling(SMALL, 0.01)
    assert (row.section, row.voxels) == ("scaling", len(bench_scenes.coordinates(SMALL)))
    assert row.map_us > 0
    assert row.sort_us > 0
    cube = bench_scenes._cube(4096)
    assert int(cube[:, 1:].max()) == 31


def test_the_page_tells_every_section():
    def row(section, contestant, **facts):
        return VoxelRow(section=section, cell="a", scene="s", voxels=1000, contestant=contestant, **facts)

    maps = [
        row("maps", "tamis", kernel=f"{k}x{k}x{k} stride 1", map_us=us, ratio=1.0)
        for k, us in ((3, 500.0), (5, 2000.0))
    ]
    rows = [
        *maps,
        row("maps", "hash_packed", ratio=8.0, map_us=4000.0),
        row("scaling", "tamis", map_us=12.0, sort_us=5.0),
        row(
            "networks",
            "tamis",
            sort_us=1.0,
            map_us=9.0,
            feature_us=80.0,
            median_us=100.0,
            gemm_us=200.0,
            ratio=1.0,
        ),
        row("networks", "tamis_maps_layer_by_layer", ratio=1.25, median_us=125.0),
        row("memory", "tamis", peak_bytes=115, weight_bytes=50, live_bytes=40, nbytes=10),
        row("streaming", "tamis", median_us=1.0, p95_us=2.0, p99_us=3.0),
    ]
    page = report.markdown(rows, "tamis bench voxel")
    for told in (
        "| s | 0.50 | 2.00 | 4.00 |",  # K = 5 against K = 3
        "| 1000 | 0.01 | 0.01 | 12.0 |",  # ns a voxel
        "| 10.0 % | 0.50 |",  # share of the maps, against useful GEMM
        "| one-shot search: a hash table instead | 1 | 8.00 |",
        "| one plan: maps made layer by layer | 1 | 1.25 |",
        "| 1.15 |",  # memory over need
    ):
        assert told in page


def test_a_run_leaves_csv_page_and_plot(tmp_path, monkeypatch):
    monkeypatch.setitem(maps.GRIDS, "quick", ((SMALL, 3, 1),))
    monkeypatch.setitem(layers.GRIDS, "quick", ((SMALL, 8, 8, 3),))
    monkeypatch.setattr(suite, "this_machine", lambda package: MACHINE)
    seen = []
    outcome = suite.run(
        suite.Options("quick", ("maps", "layers"), tmp_path), progress=lambda *step: seen.append(step[:2])
    )
    assert seen == [(0, 2), (1, 2), (2, 2)]
    with outcome.csv_path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(outcome.rows)
    assert {line["cpu"] for line in lines} == {"a cpu"}
    page = report.markdown(outcome.rows, "tamis bench voxel")
    assert "## Kernel maps" in page
    assert "searchsorted" in page
    assert "searchsorted (maps)" in report.verdict(outcome.rows)
    report.save_plot(outcome.rows, tmp_path / "plot.png")
    assert os.path.getsize(tmp_path / "plot.png") > 5_000


def test_a_file_with_other_columns_is_refused_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(suite, "this_machine", lambda package: MACHINE)
    (tmp_path / "voxel_quick_cpu_avx2_1t.csv").write_text("section,cell\n")
    with pytest.raises(ValueError, match="Use a new file"):
        suite.run(suite.Options("quick", ("maps",), tmp_path))


def test_grids_name_known_scenes_and_networks():
    names = {cell[0] for grid in maps.GRIDS.values() for cell in grid}
    names |= {cell[0] for grid in layers.GRIDS.values() for cell in grid}
    names |= {cell[1] for room in (networks_bench, memory) for grid in room.GRIDS.values() for cell in grid}
    names |= {scene for grid in maps.SCALING.values() for scene in grid}
    assert names <= set(bench_scenes._MAKERS)
    configs = {cell[1:] for cell in layers.GRIDS["default"]}
    assert {
        (4, 32, 3),
        (16, 32, 3),
        (32, 32, 3),
        (32, 64, 3),
        (128, 128, 3),
        (16, 16, 5),
        (32, 32, 5),
        (32, 64, 5),
    } <= configs
    assert isinstance(kernel_map(bench_scenes.coordinates(SMALL), 3), KernelMap)
