"""Sizes beyond int32, without the memory for them: pointers are moved so that only 64-bit arithmetic finds the data."""

import pytest
import torch

from tamis.formats.packed_coords import choose_layout
from tamis.kernels import GRANULE
from tamis.kernels.cpu.native import ELEMENTS, native
from tamis.ops.kernel_map import build_map, kernel_offsets

FAR_ROW = 2**28  # times 16 channels: 2**32 elements, 2**34 bytes
FAR_PAIR = 2**31 + 5
PAIRS = torch.tensor([[0, 3], [1, 0], [2, 2]], dtype=torch.int32)  # output, input


def convolved(*, far_row: int, far_pair: int) -> torch.Tensor:
    """Three outputs of one offset, with the inputs ``far_row`` rows and the lists ``far_pair`` pairs after their pointers."""
    generator = torch.Generator().manual_seed(0)
    feats, weight = torch.randn(4, 16, generator=generator), torch.randn(1, 16, 16, generator=generator)
    outputs, inputs = PAIRS[:, 0].contiguous(), (PAIRS[:, 1] + far_row).contiguous()
    lists = torch.tensor([[far_pair, far_pair + 3, 0]])
    cuts = torch.tensor([[0, 3]], dtype=torch.int32)
    out = torch.full((3, 16), torch.nan)
    pairs = native().PairLists(
        first=outputs.data_ptr() - 4 * far_pair,
        second=inputs.data_ptr() - 4 * far_pair,
        lists=lists.data_ptr(),
        cuts=cuts.data_ptr(),
        volume=1,
        granules=1,
    )
    native().sparse_conv(
        pairs,
        rows=3,
        c_in=16,
        c_out=16,
        groups=1,
        feats=feats.data_ptr() - 64 * far_row,
        residual=0,
        weight=weight.data_ptr(),
        scale=0,
        bias=0,
        out=out.data_ptr(),
        element=ELEMENTS[torch.float32],
        relu=False,
        block_rows=GRANULE,
        threads=1,
    )
    assert torch.allclose(out, feats[PAIRS[:, 1].long()] @ weight[0], atol=1e-5)
    return out


@pytest.mark.parametrize(("far_row", "far_pair"), [(FAR_ROW, 0), (0, FAR_PAIR), (FAR_ROW, FAR_PAIR)])
def test_rows_times_channels_and_pairs_may_exceed_int32(far_row, far_pair):
    assert torch.equal(convolved(far_row=far_row, far_pair=far_pair), convolved(far_row=0, far_pair=0))


def test_more_voxels_than_row_numbers_are_an_error():
    layout = choose_layout(torch.zeros(1, 4, dtype=torch.int32), guard=(1, 1, 1))
    many = torch.zeros(1, dtype=torch.int32).expand(2**31)  # one element, seen many times
    few = torch.zeros(1, dtype=torch.int32)
    for sources, targets in ((many, few), (few, many)):
        with pytest.raises(ValueError, match=r"2147483648.*int32. Split the scene"):
            build_map(sources, targets, layout, kernel_offsets((3, 3, 3)))
