"""Training: it learns, it is repeatable, and a killed run ends with the same weights."""

import signal
import subprocess
import sys
import textwrap
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

pytest.importorskip("lightning_fabric")

from tamis.voxel.scenes import lidar_street
from tamis.voxel.segmentation.config import SegmentationConfig
from tamis.voxel.segmentation.streets import StreetBatches, augment
from tamis.voxel.segmentation.train import train

TINY = SegmentationConfig(
    width=0.25, voxel_size_m=0.8, sensors=("hdl32",), epochs=2, scenes_per_epoch=3, validation_scenes=1
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    reports = []
    _, metrics = train(TINY, folder, reports.append)
    return folder, reports, metrics


def test_a_run_writes_weights_and_metrics(trained):
    folder, reports, metrics = trained
    assert [report.epoch for report in reports] == [1, 2]
    assert {"loss", "miou", "iou_road", "iou_pedestrian"} <= set(reports[0].figures)
    assert set(metrics) == {"canyon hdl32", "suburb hdl32"}
    for row in metrics.values():
        assert 0 <= row["miou"] <= 1
        assert 0.1 < row["baseline_miou"] < 0.7
        assert len(row["iou"]) == 8
    assert (folder / "segmenter.safetensors").stat().st_size < 4_000_000


def test_it_learns(tmp_path):
    longer = replace(TINY, epochs=3, scenes_per_epoch=8, learning_rate=0.01)
    reports = []
    train(longer, tmp_path, reports.append)
    assert reports[-1].figures["loss"] < 0.8 * reports[0].figures["loss"]


def test_killed_and_started_again_ends_with_the_same_weights(trained, tmp_path):
    script = textwrap.dedent("""
        import sys, pathlib
        from tamis.voxel.segmentation.config import SegmentationConfig
        from tamis.voxel.segmentation.train import train
        config = SegmentationConfig(
            width=0.25, voxel_size_m=0.8, sensors=("hdl32",), epochs=2, scenes_per_epoch=3, validation_scenes=1
        )
        def told(report):
            print(report.epoch, flush=True)
            if "wait" in sys.argv:
                sys.stdin.read()  # until the process is killed
        train(config, pathlib.Path(sys.argv[1]), told)
    """)
    command = [sys.executable, "-c", script, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([*command, "wait"], **pipes, text=True) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline().strip() == "1"
        killed.send_signal(signal.SIGKILL)
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert again.stdout.split() == ["2"], "the first epoch is not trained again"
    straight, resumed = (load_file(folder / "segmenter.safetensors") for folder in (trained[0], tmp_path))
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)


def test_batches_depend_on_epoch_and_generator_only():
    def first(epoch, seed):
        return next(iter(StreetBatches(TINY, epoch, torch.Generator().manual_seed(seed))))

    a, b, c = first(0, 1), first(0, 1), first(1, 1)
    assert torch.equal(a.voxels.coords, b.voxels.coords)
    assert torch.equal(a.labels, b.labels)
    assert a.voxels.coords.shape != c.voxels.coords.shape or not torch.equal(a.voxels.coords, c.voxels.coords)


def test_a_batch_of_two_streets_keeps_them_apart():
    batch = next(iter(StreetBatches(replace(TINY, scenes_per_batch=2), 0, torch.Generator().manual_seed(0))))
    assert batch.voxels.coords[:, 0].unique().tolist() == [0, 1]
    assert len(batch.labels) == len(batch.voxels)
    assert len(StreetBatches(replace(TINY, scenes_per_batch=2), 0, torch.Generator())) == 2


def test_augmentation_keeps_shape_and_labels_together():
    scene = lidar_street(10_000, "hdl32")
    for seed in range(8):
        points, labels = augment(scene, torch.Generator().manual_seed(seed))
        assert len(points) == len(labels)
        ratio = points[:, 2].abs().max() / scene.points[:, 2].abs().max()
        assert ratio < 1.06, "turned about z, scaled by at most 5 %"
        for label in (0, 3):  # whatever is thinned or cropped: road stays below, buildings above
            above = points[labels == label][:, 2] > -1.0
            assert above.float().mean() == pytest.approx(float(label == 3), abs=0.3)
