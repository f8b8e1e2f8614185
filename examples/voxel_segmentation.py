"""Train a small segmenter on generated streets, load it again, and label the points of a street that it has not seen.

python examples/voxel_segmentation.py FOLDER
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch

from tamis import voxel
from tamis.voxel.segmentation import load_config, load_segmenter, train_segmenter


def main(folder: Path) -> None:
    # 1. A preset made smaller still: coarse voxels, a narrow network, two short epochs. `load_config("street")` is the real one.
    config = replace(
        load_config("quick"), width=0.25, voxel_size_m=0.8, sensors=("hdl32",), worlds=("canyon",),
        epochs=2, scenes_per_epoch=6, validation_scenes=1,
    )  # fmt: skip
    _, metrics = train_segmenter(config, folder, lambda report: print(report.epoch, report.figures["loss"]))
    for street, row in metrics.items():
        print(f"{street}: mean IoU {row['miou']:.2f}, without learning {row['baseline_miou']:.2f}")

    # 2. From the file, on another street. The plan holds every kernel map of the network, built together.
    segmenter = load_segmenter(folder / "segmenter.safetensors")
    scan = voxel.scenes.lidar_street(seed=7, sensor="hdl32", world="canyon")
    print(segmenter.plan(scan.points).explain())
    labels = segmenter.predict(scan.points)
    for number, count in enumerate(torch.bincount(labels, minlength=len(segmenter.recipe.label_names))):
        print(f"{segmenter.recipe.label_names[number]:>12} {int(count):7} points")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
