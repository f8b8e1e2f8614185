"""What all formats share: sizes, moves, memo slots, copies, and life under torch.compile and torch.export."""

import copy
import gc
import pickle
import weakref

import pytest
import torch

from tamis.formats import BSR, CSR, NM, Bitmap, RowStatistics, SparseMatrix


def matrices() -> list[SparseMatrix]:
    w = torch.zeros(8, 16)
    w[0, ::4], w[3, 5], w[7, 2] = 1.5, -2.0, 4.0
    return [CSR.from_dense(w), BSR.from_dense(w, (4, 2)), NM.from_dense(w, 2, 4), Bitmap.from_dense(w)]


each = pytest.mark.parametrize("a", matrices(), ids=lambda a: type(a).__name__)


def test_sizes_and_statistics_of_csr() -> None:
    a = matrices()[0]
    assert (a.nnz, a.density, a.sparsity) == (6, 6 / 128, 1 - 6 / 128)
    assert a.nbytes == 9 * 4 + 6 * 4 + 6 * 4
    statistics = a.row_statistics()
    assert statistics == RowStatistics(min=0, mean=0.75, max=4, cov=pytest.approx(1.732051), empty=5)


@each
def test_statistics_agree_with_row_lengths(a: SparseMatrix) -> None:
    lengths = a.row_lengths()
    assert lengths.shape == (8,)
    assert lengths.dtype == torch.int32
    assert int(lengths.sum()) == a.nnz
    assert a.row_statistics() == RowStatistics.from_lengths(lengths)


@each
def test_repr_tells_a_person_what_it_is(a: SparseMatrix) -> None:
    text = repr(a)
    assert text.startswith(f"{type(a).__name__}(8x16")
    assert "float32" in text
    assert f"{a.nbytes:,} bytes" in text
    assert "tensor(" not in text
    assert "\n" not in text


@each
def test_to_changes_dtype_or_device_or_nothing(a: SparseMatrix) -> None:
    assert a.to("cpu") is a
    assert a.to(torch.float32) is a
    assert a.to() is a
    for half in (a.to(torch.bfloat16), a.to("cpu", torch.bfloat16), a.to(dtype=torch.bfloat16)):
        assert half.dtype == torch.bfloat16
        assert torch.equal(half.to_dense().float(), a.to_dense())
    meta = a.to("meta")
    assert meta.device.type == "meta"
    assert meta.shape == a.shape
    assert meta.nnz == a.nnz
    assert meta.nbytes == a.nbytes
    assert all(part.is_meta for part in meta.components().values())
    assert "meta" in repr(meta)
    assert meta.to_dense().shape == a.shape
    with pytest.raises(TypeError, match="quantize_rows"):
        a.to(torch.int8)
    with pytest.raises(TypeError, match=r"cannot hold values as torch\.int64"):
        a.to(dtype=torch.int64)


@each
def test_with_values_shares_the_structure(a: SparseMatrix) -> None:
    values = torch.randn_like(a.values, dtype=torch.float64)
    b = a.with_values(values)
    assert type(b) is type(a)
    assert b.values is values
    assert b.shape == a.shape
    assert b.dtype == torch.float64
    assert all(part is b.components()[name] for name, part in a.components().items() if name != "values")
    b.check()


@each
def test_with_values_refuses_what_does_not_fit(a: SparseMatrix) -> None:
    with pytest.raises(ValueError, match="stores values of shape"):
        a.with_values(a.values[:-1])
    with pytest.raises(ValueError, match="one device"):
        a.with_values(a.values.to("meta"))
    with pytest.raises(TypeError, match="float tensor"):
        a.with_values(a.values.char())
    with pytest.raises(TypeError, match=r"must be a torch\.Tensor"):
        a.with_values([1.0])


@each
def test_memos_belong_to_the_object_and_die_with_it(a: SparseMatrix) -> None:
    class Plan:
        pass

    b = a.with_values(a.values.clone())
    assert b._memo is not a._memo
    assert b._structure_memo is a._structure_memo
    plan = Plan()
    b._memo["plan"], dead = plan, weakref.ref(plan)
    assert "plan" not in a._memo
    assert "Plan" not in repr(b)
    del plan, b
    gc.collect()
    assert dead() is None


@each
def test_identity_is_the_only_equality(a: SparseMatrix) -> None:
    twin = copy.copy(a)
    assert a == a
    assert a != twin
    assert len({a, twin, a}) == 2
    weakref.ref(a)


@each
def test_fields_cannot_be_rebound(a: SparseMatrix) -> None:
    with pytest.raises(AttributeError):
        a.values = torch.zeros(1)


@each
def test_copies_and_pickles_leave_memos_behind_and_are_checked(a: SparseMatrix) -> None:
    a._memo["plan"] = lambda: None  # cannot be pickled
    for twin in (copy.deepcopy(a), pickle.loads(pickle.dumps(a))):
        assert type(twin) is type(a)
        assert torch.equal(twin.to_dense(), a.to_dense())
        assert twin._memo == {}
        assert twin.values.data_ptr() != a.values.data_ptr()
    a._memo.clear()


@each
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiles_whole_with_new_values(a: SparseMatrix) -> None:
    def double(values: torch.Tensor) -> torch.Tensor:
        b = a.with_values(values * 2)
        return b.to_dense() + b.density - b.nnz

    compiled = torch.compile(double, fullgraph=True, backend="eager")
    assert torch.equal(compiled(a.values), double(a.values))


@each
def test_exports_as_part_of_a_module(a: SparseMatrix) -> None:
    class Layer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.values = torch.nn.Parameter(a.values.clone())

        def forward(self, b: torch.Tensor) -> torch.Tensor:
            return a.with_values(self.values).to_dense() @ b

    b = torch.randn(16, 3)
    exported = torch.export.export(Layer(), (b,))
    assert torch.equal(exported.module()(b), a.to_dense() @ b)
