"""int8 values with a scale per row."""

import pytest
import torch

from tamis.formats import BSR, CSR, NM, Bitmap, quantize_rows

W = torch.randn(16, 24, generator=torch.Generator().manual_seed(0)) * torch.logspace(-3, 3, 16)[:, None]
W = W * (torch.arange(384).view(16, 24) % 4 < 2) + 0.0
W[5] = 0


@pytest.mark.parametrize(
    "a",
    [CSR.from_dense(W), BSR.from_dense(W, (4, 2)), NM.from_dense(W, 2, 4), Bitmap.from_dense(W)],
    ids=lambda a: type(a).__name__,
)
def test_error_is_at_most_half_a_step_and_the_largest_is_127(a: CSR | BSR | NM | Bitmap) -> None:
    q = quantize_rows(a)
    assert q.dtype == torch.int8
    assert type(q) is type(a)
    assert q.nnz == a.nnz
    q.check()
    step = W.abs().amax(dim=1, keepdim=True) / 127
    assert ((q.to_dense() - W).abs() <= step * 0.5001).all()
    assert q.values.abs().max() == 127
    assert q.row_scale[5] == 1
    assert torch.equal(q.to(torch.float32).to_dense(), q.to_dense())
    assert q.to(torch.bfloat16).dtype == torch.bfloat16
    assert q.to(torch.float32).row_scale is None


def test_all_formats_quantise_alike() -> None:
    dense = [
        quantize_rows(a).to_dense()
        for a in (CSR.from_dense(W), BSR.from_dense(W, (4, 1)), NM.from_dense(W, 2, 4))
    ]
    assert torch.equal(dense[0], dense[1])
    assert torch.equal(dense[0], dense[2])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_int8_cannot_hold_is_refused(value: float) -> None:
    w = W.clone()
    w[7, 2] = value
    with pytest.raises(ValueError, match="row 7 holds NaN or Inf"):
        quantize_rows(CSR.from_dense(w))
    with pytest.raises(ValueError, match="int8 already"):
        quantize_rows(quantize_rows(CSR.from_dense(W)))


def test_values_near_the_ends_of_float32() -> None:
    w = torch.tensor([[3.4e38, -1e38], [1e-45, 0], [-1e-38, 1e-40], [1e-36, 3e-43]])
    q = quantize_rows(CSR.from_dense(w))
    assert q.values.tolist() == [127, -37, 0, -1, 0, 85, 0]
    assert ((q.to_dense().double() - w.double()).abs() <= q.row_scale.double()[:, None] * 0.50001).all()


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (4, 4)])
def test_nothing_to_quantise(shape: tuple[int, int]) -> None:
    assert quantize_rows(CSR.from_dense(torch.zeros(shape))).nnz == 0
