"""save and load: safetensors with named fields, believed only after checks."""

import json
import os
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from tamis.formats import BSR, CSR, NM, Bitmap, SparseMatrix, load, quantize_rows, save

W = torch.randn(8, 16, generator=torch.Generator().manual_seed(0))
W[:, 1::2] = 0
W[0, 0], W[3] = float("nan"), 0
PLAIN = [CSR.from_dense(W), BSR.from_dense(W, (4, 2)), NM.from_dense(W, 2, 4), Bitmap.from_dense(W)]
each = pytest.mark.parametrize("a", PLAIN, ids=lambda a: type(a).__name__)

META = {"tamis.format": "CSR", "tamis.version": "1", "tamis.shape": "[8, 16]"}


def fields(**changes: Tensor | None) -> dict[str, Tensor]:
    good = {**PLAIN[0].components(), **changes}
    return {name: tensor for name, tensor in good.items() if tensor is not None}


@each
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_a_saved_matrix_comes_back_bit_for_bit(tmp_path: Path, a: SparseMatrix, dtype: torch.dtype) -> None:
    a = a.to(dtype)
    save(a, tmp_path / "w.safetensors")
    b = load(str(tmp_path / "w.safetensors"))
    assert type(b) is type(a)
    assert b.shape == a.shape
    assert b.dtype == dtype
    assert repr(b) == repr(a)
    for name, part in a.components().items():
        assert torch.equal(part.view(torch.uint8), b.components()[name].view(torch.uint8)), name


@each
def test_int8_and_its_scale_come_back(tmp_path: Path, a: SparseMatrix) -> None:
    q = quantize_rows(a.with_values(a.values.nan_to_num()))
    save(q, tmp_path / "w.safetensors")
    b = load(tmp_path / "w.safetensors")
    assert torch.equal(b.values, q.values)
    assert torch.equal(b.row_scale, q.row_scale)


def test_empty_shapes_and_stored_zeros_come_back(tmp_path: Path) -> None:
    for shape in ((0, 0), (0, 8), (8, 0), (1, 8)):
        w, mask = -torch.zeros(shape), torch.ones(shape).bool()
        for a in (
            CSR.from_dense(w, mask=mask),
            BSR.from_dense(w, (1, 1), mask=mask),
            Bitmap.from_dense(w, mask=mask),
        ):
            save(a, tmp_path / "w.safetensors")
            b = load(tmp_path / "w.safetensors")
            assert b.nnz == a.nnz
            assert b.shape == shape
            assert (b.values.signbit() == a.values.signbit()).all()


def test_the_file_is_plain_safetensors_with_named_fields(tmp_path: Path) -> None:
    save(PLAIN[2], tmp_path / "w.safetensors")
    with safe_open(tmp_path / "w.safetensors", framework="pt") as file:
        assert set(file.keys()) == {"values", "indices"}
        assert file.metadata() == {
            "tamis.format": "NM", "tamis.version": "1", "tamis.shape": "[8, 16]", "tamis.n": "2", "tamis.m": "4",
        }  # fmt: skip


def test_endings_in_capitals(tmp_path: Path) -> None:
    save(PLAIN[1], tmp_path / "W.SafeTensors")
    assert isinstance(load(tmp_path / "W.SafeTensors"), BSR)


def test_shared_storage_and_gradients_do_not_hinder_saving(tmp_path: Path) -> None:
    buffer = torch.randn(100, requires_grad=True)
    a = CSR(torch.tensor([0, 1, 2]), torch.tensor([0, 1]), buffer[4:6], (2, 2))
    save(a, tmp_path / "w.safetensors")
    assert torch.equal(load(tmp_path / "w.safetensors").values, buffer[4:6])
    assert (tmp_path / "w.safetensors").stat().st_size < 600
    same = torch.tensor([0, 1], dtype=torch.int32)
    twice = CSR(same, same[:1], torch.ones(1), (1, 1))
    save(twice, tmp_path / "w.safetensors")


def test_a_loaded_matrix_outlives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save(PLAIN[0], path)
    a = load(path)
    os.truncate(path, 0)
    assert torch.equal(a.to_dense().nan_to_num(), W.nan_to_num())


def test_a_failed_save_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save(PLAIN[0], path)
    before = path.read_bytes()
    with pytest.raises(TypeError, match="a must be CSR, BSR, NM or Bitmap, but is Tensor"):
        save(W, path)
    with pytest.raises(NotImplementedError):
        save(PLAIN[0].to("meta"), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_saving_replaces_the_name_not_the_bytes_under_it(tmp_path: Path) -> None:
    path, other_name = tmp_path / "w.safetensors", tmp_path / "kept.safetensors"
    save(PLAIN[0], path)
    os.link(path, other_name)
    save(PLAIN[1], path)
    assert isinstance(load(path), BSR)
    assert isinstance(load(other_name), CSR)


def test_a_rename_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        save(PLAIN[0], path)
    assert list(tmp_path.iterdir()) == [path]


def test_names_tell_the_kind_of_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must end in \.safetensors"):
        save(PLAIN[0], tmp_path / "w.bin")
    for name in ("w.bin", "w", "w.npz", ".mtx", "w.gz", "mtx.gz"):
        with pytest.raises(
            ValueError, match=r"expected a name that ends in \.safetensors, \.smtx, \.mtx, \.mm"
        ):
            load(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(IsADirectoryError):
        load(tmp_path / "folder.safetensors")


@pytest.mark.parametrize(
    ("changes", "metadata", "message"),
    [
        ({}, {"tamis.format": None}, "tamis.format is missing; the file was not written by tamis.save"),
        ({}, {"tamis.format": "COO"}, "tamis.format is 'COO'; expected one of CSR, BSR, NM, Bitmap"),
        ({}, {"tamis.version": "2"}, "tamis.version is '2'; this library reads '1'"),
        ({}, {"tamis.version": None}, "tamis.version is None"),
        ({}, {"tamis.shape": None}, "tamis.shape is missing"),
        ({}, {"tamis.shape": "[8, 16"}, "tamis.shape is '.8, 16'"),
        ({}, {"tamis.shape": "8"}, "expected list"),
        ({}, {"tamis.shape": "[" * 10**5}, "tamis.shape is"),
        ({}, {"tamis.shape": "[8, 16, 2]"}, "shape must be two ints"),
        ({}, {"tamis.shape": "[8, 1e1]"}, "shape must be two ints"),
        ({}, {"tamis.shape": '["8", null]'}, "shape must be two ints"),
        ({}, {"tamis.shape": "[true, 16]"}, "crow_indices must have one entry more"),
        ({}, {"tamis.shape": "[8, 4]"}, "col_indices must lie in"),
        ({}, {"tamis.shape": "[9, 16]"}, "crow_indices must have one entry more"),
        ({}, {"tamis.shape": "[-8, 16]"}, "each side of shape"),
        ({}, {"tamis.format": "NM"}, "tamis.n is missing"),
        ({}, {"tamis.format": "NM", "tamis.n": "2", "tamis.m": "true"}, "expected int"),
        ({}, {"tamis.format": "NM", "tamis.n": "2", "tamis.m": "4"}, "field indices of NM is missing"),
        ({}, {"tamis.format": "Bitmap"}, "field bitmap of Bitmap is missing"),
        ({}, {"tamis.format": "BSR"}, "values must have 3 dimension"),
        ({"values": None}, {}, "field values of CSR is missing"),
        ({"crow_indices": None}, {}, "field crow_indices of CSR is missing"),
        ({"weight": torch.ones(1)}, {}, "field weight is not one of CSR's"),
        ({"_memo": torch.ones(1)}, {}, "field _memo is not one of CSR's"),
        ({"shape": torch.ones(1)}, {}, "field shape is not one of CSR's"),
        (
            {"col_indices": PLAIN[0].col_indices.long()},
            {},
            "field col_indices has dtype torch.int64; expected torch.int32",
        ),
        ({"values": PLAIN[0].values.long()}, {}, "values have dtype torch.int64"),
        ({"values": PLAIN[0].values.char()}, {}, "int8 values need row_scale"),
        ({"values": PLAIN[0].values[:-1].clone()}, {}, "col_indices has"),
        ({"row_scale": torch.ones(8)}, {}, "row_scale goes with int8 values only"),
        ({"col_indices": PLAIN[0].col_indices.flip(0)}, {}, "must ascend strictly"),
        ({"crow_indices": PLAIN[0].crow_indices * 2**20}, {}, "crow_indices must end at"),
        ({"crow_indices": PLAIN[0].crow_indices.view(3, 3)}, {}, "crow_indices must have 1 dimension"),
    ],
)
def test_foreign_or_inconsistent_files_name_the_field(
    tmp_path: Path, changes: dict, metadata: dict, message: str
) -> None:
    path = tmp_path / "w.safetensors"
    save_file(
        fields(**changes), path, {key: text for key, text in (META | metadata).items() if text is not None}
    )
    with pytest.raises(ValueError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith("load(")


def test_a_file_without_metadata_or_without_sense_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"weight": torch.ones(2, 2)}, path)
    with pytest.raises(ValueError, match=r"not written by tamis\.save"):
        load(path)
    save(PLAIN[0], path)
    whole = path.read_bytes()
    for content in (b"", b"\x00", whole[:7], whole[:200], whole[:-1], whole + b"\x00", b"\xff" * 64):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="not a whole safetensors file"):
            load(path)


def test_a_header_that_promises_more_than_there_is(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    for shape, end in (([2**62], 2**64 - 1), ([2**31, 2**31], 2**62), ([10**6], 4 * 10**6), ([-1], 4)):
        header = {"__metadata__": META, "values": {"dtype": "F32", "shape": shape, "data_offsets": [0, end]}}
        text = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + b"\x00" * 16)
        with pytest.raises(ValueError, match="not a whole safetensors file"):
            load(path)


@settings(deadline=None)
@given(st.sampled_from(range(4)), st.floats(0, 1), st.binary(min_size=1, max_size=4))
def test_mutated_bytes_are_read_or_refused_never_worse(
    tmp_path_factory: pytest.TempPathFactory, which: int, place: float, inserted: bytes
) -> None:
    path = tmp_path_factory.mktemp("files") / "w.safetensors"
    save(PLAIN[which], path)
    content = bytearray(path.read_bytes())
    start = int(place * (len(content) - len(inserted)))
    content[start : start + len(inserted)] = inserted
    path.write_bytes(content)
    try:
        load(path).check()
    except ValueError as error:
        outcome = str(error)
    else:
        outcome = "read"
    assert outcome == "read" or outcome.startswith("load(")
