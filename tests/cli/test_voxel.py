"""``tamis voxel`` as a user types it."""

import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from tamis.cli.voxel import app
from tamis.voxel import scenes
from tamis.voxel.segmentation import Recipe, Segmenter


def tamis(*words):
    return CliRunner().invoke(app, [*map(str, words)])


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "mine.safetensors"
    Segmenter(Recipe("MinkUNet14", 0.25, 0.5, scenes.STREET_LABELS, "nothing")).save(path)
    return path


def test_segment_writes_labels_picture_and_page(tmp_path, weights):
    street = scenes.lidar_street(1, "hdl32")
    table = np.column_stack([street.points[::10], np.zeros(len(street.points[::10]))]).astype("<f4")
    table.tofile(tmp_path / "my scan.bin")
    result = tamis("segment", tmp_path / "my scan.bin", "-o", tmp_path / "out", "--weights", weights)
    assert result.exit_code == 0, result.output
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "my scan.html",
        "my scan.labels.npz",
        "my scan.png",
    ]
    with np.load(tmp_path / "out" / "my scan.labels.npz") as saved:
        np.testing.assert_allclose(saved["points"], table[:, :3])
        assert saved["labels"].shape == (len(table),)
        assert saved["label_names"].tolist() == list(scenes.STREET_LABELS)
    for name in scenes.STREET_LABELS:
        assert name in result.output


def test_segment_of_a_survey_far_from_its_origin(tmp_path):
    laspy = pytest.importorskip("laspy")
    street = scenes.lidar_street(9_001, "hdl64", "canyon")
    survey = laspy.LasData(laspy.LasHeader(point_format=3, version="1.2"))
    far = street.points.double().numpy() + np.array([500_000, 5_800_000, 80])
    survey.header.offsets, survey.header.scales = far.min(0), [0.001] * 3
    survey.x, survey.y, survey.z = far.T
    survey.write(tmp_path / "own.laz")
    result = tamis("segment", tmp_path / "own.laz", "-o", tmp_path)
    assert result.exit_code == 0, result.output
    with np.load(tmp_path / "own.labels.npz") as saved:
        assert (saved["labels"] == street.labels.numpy()).mean() > 0.7
        np.testing.assert_allclose(saved["points"] + saved["origin"], far, atol=2e-3)


def test_segment_of_a_generated_street_tells_its_score(tmp_path, weights):
    result = tamis(
        "segment", "suburb", "--sensor", "hdl32", "--seed", 4, "-o", tmp_path, "--weights", weights
    )
    assert result.exit_code == 0, result.output
    assert "mIoU against the generator's labels" in result.output
    assert (tmp_path / "suburb-hdl32-4.html").exists()


def test_profile_prints_the_pyramid_and_the_dataflows(tmp_path):
    result = tamis("profile", "canyon", "--sensor", "hdl32", "--voxel-size", 0.3)
    assert result.exit_code == 0, result.output
    for words in (
        "voxels of 0.3 x 0.3 x 0.3 m",
        "cells",
        "density at L1",
        "submanifold 256 -> 256",
        "runs blocked",
    ):
        assert words in result.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("segment", "nowhere.bin"), "nowhere.bin"),
        (("profile", "moon"), "canyon, suburb"),
        (("train",), "give a configuration file or --preset"),
        (("train", "--preset", "nothing"), "presets are quick, street"),
        (("segment", "canyon", "--weights", "none.safetensors"), "none.safetensors"),
    ],
)
def test_mistakes(words, told):
    result = tamis(*words)
    assert result.exit_code != 0
    assert told in str(result.exception)


def scan(path, seed=1, step=40):
    points = scenes.lidar_street(seed, "hdl32").points[::step]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.column_stack([points, np.zeros(len(points))]).astype("<f4").tofile(path)
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def segment(weights, folder, *words):
    return tamis("segment", *words, "-o", folder, "--weights", weights)


def test_names_keep_their_dots(tmp_path, weights):
    """Time stamps with fractions, as ROS writes them, must not overwrite each other."""
    scans = [scan(tmp_path / f"1609459200.{number}.bin", number) for number in (1, 2)]
    result = segment(weights, tmp_path / "out", *scans)
    assert result.exit_code == 0, result.output
    stems = ("1609459200.1", "1609459200.2")
    assert names(tmp_path / "out") == [
        f"{stem}.{end}" for stem in stems for end in ("html", "labels.npz", "png")
    ]
    for path, stem in zip(scans, stems, strict=True):
        with np.load(tmp_path / "out" / f"{stem}.labels.npz") as saved:
            np.testing.assert_array_equal(saved["points"], np.fromfile(path, "<f4").reshape(-1, 4)[:, :3])


@pytest.mark.parametrize("pair", [("a/scan.bin", "b/scan.bin"), ("scan.bin", "scan.pcd.bin")])
def test_two_scans_of_one_name_are_refused_before_work_starts(tmp_path, weights, pair):
    paths = [scan(tmp_path / name) for name in pair]
    result = segment(weights, tmp_path / "out", *paths)
    assert "would both write" in str(result.exception)
    assert not (tmp_path / "out").exists()
    assert segment(weights, tmp_path / "out", paths[0]).exit_code == 0
    before = (tmp_path / "out" / "scan.labels.npz").read_bytes()
    result = segment(weights, tmp_path / "out", paths[1])
    assert "is there already, made from" in str(result.exception)
    assert (tmp_path / "out" / "scan.labels.npz").read_bytes() == before


def test_a_file_that_is_no_labels_is_not_overwritten(tmp_path, weights):
    path = scan(tmp_path / "scan.bin")
    (tmp_path / "scan.labels.npz").write_bytes(b"my own")
    result = segment(weights, tmp_path, path)
    assert "made from something else" in str(result.exception)
    assert (tmp_path / "scan.labels.npz").read_bytes() == b"my own"


def test_what_is_done_is_not_made_again_and_what_changed_is(tmp_path, weights):
    one, two = scan(tmp_path / "one.bin", 1), scan(tmp_path / "two.bin", 2)
    out = tmp_path / "out"

    def stamps():
        return {path.name: path.stat().st_mtime_ns for path in out.iterdir()}

    assert segment(weights, out, one).exit_code == 0
    first = stamps()
    result = segment(weights, out, one, two)
    assert "one: labelled already" in result.output
    assert {name: stamp for name, stamp in stamps().items() if name.startswith("one")} == first
    (out / "one.png").unlink()  # as if the process had been killed before the labels, which come last
    scan(two, 3)
    result = segment(weights, out, one, two)
    assert "labelled already" not in result.output
    assert (out / "one.png").exists()
    with np.load(out / "two.labels.npz") as saved:
        np.testing.assert_array_equal(saved["points"], np.fromfile(two, "<f4").reshape(-1, 4)[:, :3])
    result = tamis("segment", one, "-o", out)
    assert result.exit_code == 0, result.output
    assert "labelled already" not in result.output, "other weights"


def test_columns_and_units(tmp_path, weights):
    points = scenes.lidar_street(1, "hdl32").points[::40].numpy()
    table = np.column_stack([points / 0.3048, np.zeros((len(points), 3))])[: len(points) // 2 * 2].astype(
        "<f4"
    )
    table.tofile(tmp_path / "feet.bin")
    result = segment(weights, tmp_path, tmp_path / "feet.bin")
    assert "the values fit 6 columns" in str(result.exception)
    words = ("--columns", "x,y,z,intensity,ring,_", "--metres-per-unit", 0.3048)
    result = segment(weights, tmp_path, tmp_path / "feet.bin", *words)
    assert result.exit_code == 0, result.output
    with np.load(tmp_path / "feet.labels.npz") as saved:
        np.testing.assert_allclose(saved["points"], points[: len(table)], atol=1e-4)
    assert tamis("profile", tmp_path / "feet.bin", *words, "--voxel-size", 1).exit_code == 0


def test_a_scan_in_degrees_is_refused(tmp_path, weights):
    points = np.array([-73.98, 40.74, 0.0]) + np.random.default_rng(0).uniform(0, 1e-3, (100, 3))
    np.savez(tmp_path / "degrees.npz", points=points)
    result = segment(weights, tmp_path, tmp_path / "degrees.npz")
    assert "less than a voxel of 0.5 m" in str(result.exception)


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on(tmp_path, weights):
    """After every ``kill -9`` the folder holds whole files only; in the end they are those of an undisturbed run."""
    scans = [scan(tmp_path / f"{number}.bin", number) for number in range(3)]
    command = [
        sys.executable,
        "-c",
        "from tamis.cli.main import main; main()",
        "voxel",
        "segment",
        *map(str, scans),
    ]
    command += ["--weights", str(weights), "-o"]
    subprocess.run([*command, str(tmp_path / "calm")], check=True, capture_output=True)
    calm = {path.name: path for path in (tmp_path / "calm").iterdir()}
    kills, waited_s = 0, 0.5
    while True:
        process = subprocess.Popen([*command, str(tmp_path / "killed")], stdout=subprocess.DEVNULL)
        try:
            assert process.wait(waited_s) == 0
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills, waited_s = kills + 1, waited_s * 1.3
        for path in (tmp_path / "killed").glob("[!.]*"):
            assert _same(path, calm[path.name]), path
    assert kills > 2
    assert names(tmp_path / "calm") == sorted(path.name for path in (tmp_path / "killed").glob("[!.]*"))


def _same(path, other):
    if path.suffix != ".npz":
        return path.read_bytes() == other.read_bytes()
    with np.load(path) as a, np.load(other) as b:
        return all(np.array_equal(a[name], b[name]) for name in b)
