"""To and from torch.sparse and scipy.sparse."""

import sys

import pytest
import torch
from torch import Tensor

from tamis.formats import BSR, CSR

pytestmark = pytest.mark.filterwarnings("ignore:Sparse .* tensor support is in beta")
LAYOUTS = [torch.sparse_coo, torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc]


def example(rows: int = 8, columns: int = 12) -> Tensor:
    w = torch.randn(rows, columns) * (torch.rand(rows, columns) < 0.3) + 0.0
    w[rows // 2] = 0
    return w


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_from_torch_takes_every_layout(layout: torch.layout, dtype: torch.dtype) -> None:
    w = example().to(dtype)
    block = (2, 4) if layout in (torch.sparse_bsr, torch.sparse_bsc) else None
    sparse = w.to_sparse(layout=layout, blocksize=block)
    a, b = CSR.from_torch(sparse), BSR.from_torch(sparse, (4, 1))
    assert torch.equal(a.to_dense(), w)
    assert torch.equal(b.to_dense(), w)
    assert a.nnz == (sparse._values() if layout == torch.sparse_coo else sparse.values()).numel()
    assert a.dtype == dtype


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (1, 4), (4, 1)])
@pytest.mark.parametrize("layout", LAYOUTS[:3])
def test_from_torch_takes_empty_shapes(shape: tuple[int, int], layout: torch.layout) -> None:
    assert torch.equal(
        CSR.from_torch(torch.ones(shape).to_sparse(layout=layout)).to_dense(), torch.ones(shape)
    )


def test_uncoalesced_coo_means_the_sum() -> None:
    sparse = torch.sparse_coo_tensor([[1, 0, 1], [2, 0, 2]], [1.0, 2.0, 3.0], (2, 3), check_invariants=True)
    assert torch.equal(CSR.from_torch(sparse).to_dense(), sparse.to_dense())


def test_to_torch_shares_components_and_means_the_same() -> None:
    w = example()
    for a in (CSR.from_dense(w), BSR.from_dense(w, (4, 3))):
        sparse = a.to_torch()
        assert torch.equal(sparse.to_dense(), w)
        assert sparse.crow_indices().dtype == torch.int32
        assert sparse.values().data_ptr() == a.values.data_ptr()
        assert type(a).from_torch(sparse).nnz == a.nnz


def test_the_blocks_of_torch_are_kept() -> None:
    a = BSR.from_torch(example().to_sparse(layout=torch.sparse_bsr, blocksize=(2, 3)))
    assert a.blocksize == (2, 3)
    with pytest.raises(ValueError, match="has no blocks; give blocksize"):
        BSR.from_torch(example().to_sparse_csr())


@pytest.mark.parametrize(
    ("pointers", "columns", "message"),
    [([0, 99], [0, 1], "end at"), ([0, -7], [0, 1], "descend"), ([0, 2], [0, 2**20], "but entry 1 is 1048576"),
     ([0, 2], [0, -1], "but entry 1 is -1")],
)  # fmt: skip
def test_unchecked_torch_indices_are_not_believed(pointers: list, columns: list, message: str) -> None:
    parts = torch.tensor(pointers), torch.tensor(columns), torch.ones(2)
    with pytest.raises(ValueError, match=message):
        CSR.from_torch(torch.sparse_csr_tensor(*parts, (1, 4), check_invariants=False))
    blocks = torch.ones(2, 1, 2)
    with pytest.raises(ValueError, match=r"crow_indices|must lie in"):
        CSR.from_torch(torch.sparse_bsr_tensor(*parts[:2], blocks, (1, 8), check_invariants=False))


def test_from_torch_refuses() -> None:
    for tensor, error, message in [
        (torch.ones(2, 2), TypeError, "the tensor is dense; use from_dense"),
        ([1], TypeError, "expected a torch.sparse tensor, but got list"),
        (torch.ones(2, 2, 2).to_sparse(), ValueError, "two sparse dimensions"),
        (torch.ones(2, 2).to_sparse(sparse_dim=1), ValueError, "1 dense dimension"),
        (torch.ones(2, 2).long().to_sparse(), TypeError, "values have dtype torch.int64"),
    ]:
        for build in (CSR.from_torch, lambda tensor: BSR.from_torch(tensor, (1, 1))):
            with pytest.raises(error, match=message):
                build(tensor)


@pytest.mark.parametrize("layout", ["coo", "csr", "csc", "bsr", "dia", "lil", "dok"])
def test_scipy_both_ways(layout: str) -> None:
    scipy_sparse = pytest.importorskip("scipy.sparse")
    w = example()
    for kind in (scipy_sparse.coo_array, scipy_sparse.coo_matrix):
        matrix = kind(w.numpy()).asformat(layout)
        assert torch.equal(CSR.from_scipy(matrix).to_dense(), w)
        assert torch.equal(BSR.from_scipy(matrix, (4, 1)).to_dense(), w)
    for a in (CSR.from_dense(w), BSR.from_dense(w, (2, 3))):
        assert torch.equal(torch.from_numpy(a.to_scipy().toarray()), w)
        assert torch.equal(type(a).from_scipy(a.to_scipy()).to_dense(), w)
    assert BSR.from_scipy(BSR.from_dense(w, (2, 3)).to_scipy()).blocksize == (2, 3)


def test_scipy_cannot_reach_into_our_structure() -> None:
    pytest.importorskip("scipy.sparse")
    a = CSR.from_dense(torch.tensor([[0.0, 1, 2]]), mask=torch.ones(1, 3).bool())
    a.to_scipy().eliminate_zeros()
    a.check()
    assert a.nnz == 3


def test_scipy_refusals() -> None:
    scipy_sparse = pytest.importorskip("scipy.sparse")
    a = CSR.from_dense(torch.eye(3))
    with pytest.raises(TypeError, match=r"expected a scipy\.sparse matrix or array, but got Tensor"):
        CSR.from_scipy(torch.eye(3))
    with pytest.raises(ValueError, match="has no blocks; give blocksize"):
        BSR.from_scipy(a.to_scipy())
    with pytest.raises(TypeError, match=r"torch\.float32"):
        a.to(torch.bfloat16).to_scipy()
    for dtype in ("int64", "complex64", "longdouble"):
        with pytest.raises(TypeError, match="dtype"):
            CSR.from_scipy(scipy_sparse.csr_array(torch.eye(3).numpy().astype(dtype)))
    broken = scipy_sparse.csr_array(torch.eye(3).numpy())
    broken.indices[0] = 10**6
    with pytest.raises(ValueError, match="indices"):
        CSR.from_scipy(broken)


def test_without_scipy_the_error_tells_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    for call in (CSR.from_dense(torch.eye(2)).to_scipy, lambda: CSR.from_scipy(None)):
        with pytest.raises(ModuleNotFoundError, match="pip install scipy"):
            call()


def test_int8_values_are_multiplied_out_on_the_way_out() -> None:
    a = CSR.from_dense(torch.eye(2).char(), row_scale=torch.tensor([0.5, 2.0]))
    assert a.to_torch().to_dense().tolist() == [[0.5, 0], [0, 2.0]]
