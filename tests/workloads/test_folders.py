"""Folders of .smtx files: written, found, read back, and what their places say."""

import csv

import pytest
import torch

from tamis.workloads.dlmc import Spec, generate
from tamis.workloads.folders import find_smtx, make_dlmc


@pytest.fixture
def folder(tmp_path):
    make_dlmc(
        tmp_path, shapes=[(32, 16), (6, 8)], sparsities=(0.5, 0.75), patterns=("unstructured", "4x1", "2:4")
    )
    return tmp_path


def lines(folder):
    with (folder / "manifest.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_manifest_names_every_file(folder):
    named = {line["path"] for line in lines(folder)}
    assert named == {path.relative_to(folder).as_posix() for path in folder.rglob("*.smtx")}
    assert (
        len(named) == 2 * 2 * 2 + 2 + 2
    )  # two families unstructured; 4x1 divides one shape; 2:4 has one sparsity
    assert not list(folder.rglob("*.part"))


def test_manifest_tells_what_the_files_hold(folder):
    for line in lines(folder):
        found = find_smtx(folder / line["path"])[0].weight()
        assert tuple(found.shape) == (int(line["m"]), int(line["k"]))
        assert int((found != 0).sum()) == int(line["nnz"])


def test_patterns_come_back(folder):
    by_name = {file.path.stem: file for file in find_smtx(folder)}
    spec = Spec(32, 16, 0.75, "4x1")
    file = by_name[spec.name]
    assert torch.equal(file.weight() != 0, generate(spec) != 0)
    assert (file.pattern, file.target) == ("4x1", 0.75)
    assert by_name[Spec(32, 16, 0.5, "2:4").name].pattern == "2:4"
    assert by_name[Spec(32, 16, 0.5).name].pattern == "unstructured"


def test_values_are_the_same_every_time(folder):
    file = find_smtx(folder)[0]
    assert torch.equal(file.weight(), file.weight())


def test_the_original_collections_layout(tmp_path):
    place = tmp_path / "dlmc" / "transformer" / "magnitude_pruning" / "0.9"
    place.mkdir(parents=True)
    (place / "body_0.smtx").write_text("2, 3, 1\n0 1 1\n2\n")
    file = find_smtx(tmp_path / "dlmc")[0]
    assert (file.pattern, file.target) == ("unstructured", 0.9)
    assert file.weight().nonzero().tolist() == [[0, 2]]


def test_one_file_and_an_empty_matrix(tmp_path):
    path = tmp_path / "empty.smtx"
    path.write_text("2, 3, 0\n0 0 0\n\n")
    (file,) = find_smtx(path)
    assert torch.equal(file.weight(), torch.zeros(2, 3))
    assert file.target is None


def test_progress_and_nothing_to_find(tmp_path):
    seen = []
    make_dlmc(
        tmp_path,
        shapes=[(4, 4)],
        sparsities=(0.5,),
        patterns=("4x1",),
        progress=lambda *step: seen.append(step),
    )
    assert seen == [(1, 1, "4x1/magnitude/0.5/4x4_4x1_magnitude_0.5_s0.smtx")]
    with pytest.raises(FileNotFoundError, match="no such file"):
        find_smtx(tmp_path / "absent")
