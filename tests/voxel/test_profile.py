"""The profile of a cloud against plain NumPy."""

import numpy as np
import pytest
import torch

from tamis.voxel import profile, scenes


def test_levels_and_densities():
    points = scenes.lidar_street(1, "hdl32").points
    found = profile(points, 0.2, levels=3)
    cells = np.unique(np.floor(points.double().numpy() / 0.2).astype(np.int64), axis=0)
    assert found.points == len(points)
    assert found.extent_cells == tuple(np.ptp(cells, axis=0) + 1)
    for level in found.levels:
        coarse = np.unique(cells // level.stride, axis=0)
        assert level.voxels == len(coarse)
        keys = np.sort((coarse + 2**15) @ [2**40, 2**20, 1])
        beside = [np.isin(keys + sign * step, keys).mean() for step in (2**40, 2**20, 1) for sign in (-1, 1)]
        assert level.density[1] == pytest.approx(np.mean(beside))
        assert level.density[0] == 1.0
    text = str(found)
    assert f"{len(points)} points in {len(cells)} voxels" in text
    assert len(text.splitlines()) == 6
    assert "submanifold" in str(found.network_plan)


def test_one_point_and_none():
    assert profile(torch.zeros(1, 3), 0.1).levels[-1].voxels == 1
    with pytest.raises(ValueError, match="no points"):
        profile(torch.zeros(0, 3), 0.1)
