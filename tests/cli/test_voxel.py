"""``tamis voxel`` as a user types it."""

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
