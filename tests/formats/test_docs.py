"""The formulas of docs/formats.md hold; its code runs in tests/docs."""

import torch

from tamis.formats import BSR, CSR, NM, Bitmap


def test_the_byte_formulas_of_the_page_hold() -> None:
    m, k, w = 16, 20, torch.eye(16, 20)
    for dtype in (torch.float16, torch.float64):
        b = dtype.itemsize
        d = w.to(dtype)
        csr, bsr, bits = CSR.from_dense(d), BSR.from_dense(d, (4, 2)), Bitmap.from_dense(d)
        assert csr.nbytes == csr.nnz * (b + 4) + 4 * (m + 1)
        assert bsr.nbytes == bsr.values.shape[0] * (4 * 2 * b + 4) + 4 * (m // 4 + 1)
        assert bits.nbytes == m * -(-k // 8) + bits.nnz * b + 4 * (m + 1)
        assert NM.from_dense(d, 1, 4).nbytes == m * k // 4 * (b + 1)
