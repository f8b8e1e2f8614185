"""save_sparse and load_sparse: the same bits in another process, whole models only, hostile folders refused."""

import hashlib
import json
import os
import random
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from tamis.models import load_sparse, save_sparse, saving, sparsify
from tamis.nn import FormatState, SparseLinear
from tamis.pruning import prune

X = torch.randn(20, 32, generator=torch.Generator().manual_seed(0))


def mlp(seed=0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(32, 64), nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, 16, bias=False), nn.Linear(16, 4)
    )


def sparse_mlp(pattern="unstructured", sparsity=0.8) -> nn.Sequential:
    """Layers 0 and 3 sparse, 4 dense."""
    model = mlp()
    prune(model, sparsity, pattern, where=lambda name, _: name != "4")
    sparsify(model, X, times="predicted", replace="everywhere")
    assert [type(layer) for layer in (model[0], model[3], model[4])] == [
        SparseLinear,
        SparseLinear,
        nn.Linear,
    ]
    return model


@pytest.fixture
def saved(tmp_path):
    """A folder with a saved model, and the model."""
    model = sparse_mlp()
    save_sparse(model, tmp_path / "model")
    return tmp_path / "model", model


def in_a_fresh_process(code, *arguments):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


LOAD_MLP = """
import sys, torch
from torch import nn
from safetensors.torch import load_file, save_file
from tamis.models import load_sparse
model = nn.Sequential(nn.Linear(32, 64), nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, 16, bias=False), nn.Linear(16, 4))
model = load_sparse(sys.argv[1], model)
with torch.no_grad():
    save_file({"y": model(load_file(sys.argv[2])["x"])}, sys.argv[3])
"""


@pytest.mark.parametrize(("pattern", "sparsity"), [("unstructured", 0.8), ("4x1", 0.8), ("2:4", None)])
def test_a_fresh_process_gets_the_same_bits(tmp_path, pattern, sparsity):
    model = sparse_mlp(pattern, sparsity)
    save_sparse(model, tmp_path / "model")
    save_file({"x": X}, tmp_path / "x.safetensors")
    in_a_fresh_process(LOAD_MLP, tmp_path / "model", tmp_path / "x.safetensors", tmp_path / "y.safetensors")
    with torch.no_grad():
        assert torch.equal(load_file(tmp_path / "y.safetensors")["y"], model(X))


def test_the_folder_holds_two_files_that_anybody_may_read(saved):
    folder, model = saved
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == 2
    assert names[0].startswith("model-")
    assert names[1] == "tamis.json"
    assert folder.joinpath(names[0]).stat().st_mode == folder.joinpath(names[1]).stat().st_mode
    assert set(load_file(folder / names[0])) == set(model.state_dict(destination=FormatState()))


def test_loading_puts_all_in_place_and_returns_the_model(saved):
    folder, model = saved
    skeleton = mlp(seed=1).train()
    skeleton[3].weight.requires_grad_(False)
    loaded = load_sparse(folder, skeleton)
    assert loaded is skeleton
    assert loaded.training
    assert [loaded[i].values.requires_grad for i in (0, 3)] == [True, False]
    assert torch.equal(loaded(X), model(X))
    assert isinstance(loaded[0], SparseLinear)
    again = load_sparse(folder, loaded)
    assert torch.equal(again(X), model(X))


def test_a_loaded_model_trains(saved):
    model = load_sparse(saved[0], mlp())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = model(X).square().mean()
    before.backward()
    optimizer.step()
    assert model(X).square().mean() < before


def test_what_the_kernel_was_chosen_for_is_kept(tmp_path):
    model = sparse_mlp("4x1")
    model[0] = SparseLinear(model[0].matrix, model[0].bias, n=1)
    save_sparse(model, tmp_path)
    assert load_sparse(tmp_path, mlp())[0].plan.n == 1


def test_a_forced_kernel_is_kept(tmp_path):
    model = sparse_mlp("4x1")
    model[0] = SparseLinear(model[0].matrix, model[0].bias, kernel="cpu/spmm_csr")
    save_sparse(model, tmp_path)
    assert load_sparse(tmp_path, mlp())[0].kernel == "cpu/spmm_csr"


def test_a_layer_in_two_places_stays_one(tmp_path):
    def twice():
        layer = nn.Linear(32, 32)
        return nn.Sequential(layer, nn.ReLU(), layer)

    model = twice()
    prune(model, 0.8)
    sparsify(model, X, times="predicted", replace="everywhere")
    save_sparse(model, tmp_path)
    loaded = load_sparse(tmp_path, twice())
    assert loaded[0] is loaded[2]
    assert torch.equal(loaded(X), model(X))


def test_a_bias_that_sparse_layers_share_stays_shared(tmp_path):
    def shared():
        model = nn.Sequential(nn.Linear(32, 32), nn.Linear(32, 32))
        model[1].bias = model[0].bias
        return model

    model = shared()
    prune(model, 0.8)
    sparsify(model, X, times="predicted", replace="everywhere")
    save_sparse(model, tmp_path)
    loaded = load_sparse(tmp_path, shared())
    assert isinstance(loaded[1], SparseLinear)
    assert loaded[1].bias is loaded[0].bias
    assert torch.equal(loaded(X), model(X))


def test_inference_mode_leaves_no_trace(tmp_path):
    skeleton = mlp()
    with torch.inference_mode():
        save_sparse(sparse_mlp(), tmp_path)
        loaded = load_sparse(tmp_path, skeleton)
        assert isinstance(load_sparse(tmp_path, mlp())[0], SparseLinear)
    loaded(X).sum().backward()
    assert loaded[0].values.grad is not None


def test_tied_weights_and_other_dtypes_come_back(tmp_path):
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(10, 32)
            self.head = nn.Linear(32, 10, bias=False)
            self.head.weight = self.words.weight
            self.norm = nn.LayerNorm(32)
            self.register_buffer("part", torch.arange(10.0)[2:5])

    model = Odd()
    model.norm.bfloat16()
    with torch.no_grad():
        model.norm.weight += 0.3
    save_sparse(model, tmp_path)
    loaded = load_sparse(tmp_path, Odd())
    assert loaded.head.weight is loaded.words.weight
    assert loaded.norm.weight.dtype == torch.bfloat16
    for key, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], tensor)
    assert json.loads((tmp_path / "tamis.json").read_text())["tied"] == {"head.weight": "words.weight"}


def test_saving_again_replaces_the_model_and_leaves_other_files(saved):
    folder, _ = saved
    (folder / "notes.txt").write_text("mine")
    other = sparse_mlp("4x1")
    save_sparse(other, folder)
    assert len(list(folder.glob("model-*"))) == 1
    assert (folder / "notes.txt").read_text() == "mine"
    assert torch.equal(load_sparse(folder, mlp())(X), other(X))


def test_parts_of_killed_writers_are_removed_once_they_are_old(saved):
    folder, model = saved
    old, young = folder / ".model.123.part", folder / ".tamis.json.124.part"
    for path in (old, young):
        path.write_text("half")
    os.utime(old, (time.time() - 7200,) * 2)
    save_sparse(model, folder)
    assert not old.exists()
    assert young.exists()


def test_a_failed_save_leaves_the_former_model(saved, monkeypatch):
    folder, model = saved
    monkeypatch.setattr(saving, "to_json", lambda manifest: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_sparse(sparse_mlp("4x1"), folder)
    assert torch.equal(load_sparse(folder, mlp())(X), model(X))
    assert not list(folder.glob(".*"))


SAVE_FOR_EVER = """
import itertools, sys, torch
from torch import nn
from tamis.models import save_sparse
for i in itertools.count():
    model = nn.Sequential(nn.Linear(32, 64))
    nn.init.constant_(model[0].weight, float(i))
    nn.init.constant_(model[0].bias, float(i))
    save_sparse(model, sys.argv[1])
    print(i, flush=True)
"""


def test_kill_at_any_moment_leaves_a_whole_model(tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    moments = random.Random(0)
    for _ in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", SAVE_FOR_EVER, tmp_path], env=environment, stdout=subprocess.PIPE
        )
        writer.stdout.readline()
        time.sleep(moments.uniform(0, 0.05))
        writer.kill()
        writer.communicate()
        layer = load_sparse(tmp_path, nn.Sequential(nn.Linear(32, 64)))[0]
        assert torch.equal(layer.weight, layer.bias[:, None].expand(64, 32))


def rewrite(folder, change):
    """Change the manifest as another program could."""
    path = folder / "tamis.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def rewrite_tensors(folder, change):
    """Change the tensors, with a manifest that agrees."""
    (path,) = folder.glob("model-*")
    tensors = load_file(path)
    change(tensors)
    save_file({key: tensor.clone() for key, tensor in tensors.items()}, folder / "other.safetensors")
    digest = hashlib.sha256((folder / "other.safetensors").read_bytes()).hexdigest()
    rewrite(folder, lambda content: content.update(tensors="other.safetensors", sha256=digest))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(tensor="x"), "unknown key 'tensor'; did you mean 'tensors'?"),
        (lambda c: c.update(zzz=1), "unknown key 'zzz'; known: model_class, tensors,"),
        (lambda c: c.pop("sha256"), "key 'sha256' is missing"),
        (lambda c: c.update(layers=[]), "layers is list, expected dict"),
        (lambda c: c.update(version=2), "version is 2; this library reads 1"),
        (lambda c: c.update(format="zip"), 'expected an object with "format"'),
        (lambda c: c.update(tensors="../model.safetensors"), "expected a file name without a folder"),
        (lambda c: c.update(tensors="gone.safetensors"), "names gone.safetensors, which is not there"),
        (lambda c: c.update(sha256="0" * 64), "damaged: its sha256"),
        (lambda c: c.update(tied={"a": "b"}), "tied says that a is b"),
        (lambda c: c.update(tied={"0.bias": "1.bias"}), "tied says that 0.bias is 1.bias"),
        (lambda c: c.update(tied={"a": 1}), "tied: a is int, expected str"),
        (
            lambda c: c["layers"].update({"9": c["layers"]["0"]}),
            "a sparse layer '9', this one has no such layer",
        ),
        (lambda c: c["layers"].update({"1": c["layers"]["0"]}), "1: field"),
        (lambda c: c["layers"]["0"].update(kind=1), r"layers\.0: unknown key 'kind'"),
        (lambda c: c["layers"]["0"]["format"].update({"tamis.format": "COO"}), "tamis.format is 'COO'"),
        (lambda c: c["layers"]["0"]["format"].update({"tamis.shape": "[64, 31]"}), "0: "),
        (lambda c: c["layers"]["0"].update(kernel="gpu/none"), "there is no kernel 'gpu/none'"),
        (lambda c: c["layers"].pop("0"), "the model is not the saved one"),
        (lambda c: c.update(architecture={"name": "BertModel"}), "architecture: key"),
    ],
)
def test_a_manifest_that_does_not_fit_is_a_named_error(saved, change, message):
    folder, _ = saved
    rewrite(folder, change)
    skeleton = mlp(seed=1)
    with pytest.raises(ValueError, match=message):
        load_sparse(folder, skeleton)
    assert type(skeleton[0]) is nn.Linear


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "[" * 100_000, "\x00", '{"format": "tamis sparse model"}']
)
def test_a_manifest_that_is_none_is_a_value_error(saved, text):
    folder, _ = saved
    (folder / "tamis.json").write_text(text)
    with pytest.raises(ValueError, match=r"tamis\.json"):
        load_sparse(folder, mlp())


def set_column(tensors, value):
    tensors["0.col_indices"][0] = value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: set_column(t, 32), "0: .*col_indices"),
        (lambda t: set_column(t, -1), "0: .*col_indices"),
        (lambda t: t["0.crow_indices"].fill_(2**30), "0: .*crow_indices"),
        (lambda t: t.update({"0.values": t["0.values"][:-1]}), "0: .*"),
        (lambda t: t.update({"0.values": t["0.values"].long()}), "0: .*dtype"),
        (lambda t: t.pop("0.col_indices"), "field col_indices of CSR is missing"),
        (lambda t: t.update({"0.more": t["0.bias"]}), "field more is not one of CSR's"),
        (lambda t: t.pop("0.bias"), "saved with shape .* and no bias, but here has shape .* and a bias"),
        (lambda t: t.update({"0.bias": t["0.bias"][:3]}), "size mismatch for 0.bias"),
        (lambda t: t.pop("4.weight"), r"it has \['4.weight'\] that the file has not"),
        (lambda t: t.update(more=t["0.bias"]), r"the file has \['more'\] that it has not"),
        (lambda t: t.update({"4.weight": t["4.weight"].T.contiguous()}), "size mismatch for 4.weight"),
    ],
)
def test_tensors_that_do_not_fit_are_a_named_error(saved, change, message):
    folder, _ = saved
    rewrite_tensors(folder, change)
    skeleton = mlp(seed=1)
    with pytest.raises(ValueError, match=message):
        load_sparse(folder, skeleton)
    assert type(skeleton[0]) is nn.Linear


def test_damaged_tensor_files_are_an_error(saved):
    folder, _ = saved
    (path,) = folder.glob("model-*")
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[-5] ^= 1
    for damaged in (b"", content[:100], content[:-1], bytes(flipped)):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged"):
            load_sparse(folder, mlp())
        digest = hashlib.sha256(damaged).hexdigest()
        if damaged != bytes(flipped):
            rewrite(folder, lambda content, digest=digest: content.update(sha256=digest))
            with pytest.raises(ValueError, match="not a whole safetensors file"):
                load_sparse(folder, mlp())


def test_another_model_is_an_error_and_stays_as_it_is(saved):
    folder, _ = saved
    other = nn.Sequential(nn.Linear(32, 63))
    with pytest.raises(
        ValueError, match=r"0 is saved with shape \(64, 32\) and a bias, but here has shape \(63, 32\)"
    ):
        load_sparse(folder, other)
    with pytest.raises(ValueError, match="0 is saved as a sparse layer, but is a ReLU here"):
        load_sparse(folder, nn.Sequential(nn.ReLU()))
    assert type(other[0]) is nn.Linear


def test_a_model_of_ones_own_must_be_given(saved):
    with pytest.raises(ValueError, match=r"Give it: load_sparse\(folder, model=Sequential\(\.\.\.\)\)"):
        load_sparse(saved[0])


def test_folders_without_a_model_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no tamis\.json in it"):
        load_sparse(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="expected a folder, but this is a file"):
        save_sparse(mlp(), tmp_path / "file")


def test_only_tensors_with_values_are_saved(tmp_path):
    class Extra(nn.Linear):
        def get_extra_state(self):
            return {"anything": object()}

    with pytest.raises(TypeError, match=r"_extra_state is a dict, no dense tensor.*no pickle"):
        save_sparse(Extra(2, 2), tmp_path)
    with pytest.raises(ValueError, match=r"tamis\.save\(model\.matrix, path\)"):
        save_sparse(sparse_mlp()[0], tmp_path)
    with pytest.raises(ValueError, match="weight is on the meta device"):
        save_sparse(nn.Linear(2, 2, device="meta"), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([mlp()], "folder"), r"save_sparse\(model, folder\): model is a list, expected an nn\.Module"),
        (("folder", mlp()), r"save_sparse\(model, folder\): model is a str"),
        ((mlp(), None), r"save_sparse\(model, folder\): folder is a NoneType, expected a path"),
        ((mlp(), 3), r"save_sparse\(model, folder\): folder is a int, expected a path"),
    ],
)
def test_wrong_arguments_of_save_name_the_cure(arguments, message):
    with pytest.raises(TypeError, match=message):
        save_sparse(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None,), r"load_sparse\(folder\): folder is a NoneType, expected a path"),
        ((mlp(),), r"load_sparse\(folder\): folder is a Sequential"),
        (("folder", nn.ReLU), r"model is a type, expected an nn\.Module; did you mean ReLU\(\.\.\.\)\?"),
        (("folder", {}), r"model is a dict, expected an nn\.Module"),
    ],
)
def test_wrong_arguments_of_load_name_the_cure(arguments, message):
    with pytest.raises(TypeError, match=message):
        load_sparse(*arguments)


def test_a_skeleton_on_the_meta_device_is_filled(tmp_path):
    def build():
        model = nn.Sequential(nn.Linear(32, 32), nn.BatchNorm1d(32), nn.Linear(32, 32), nn.Linear(32, 32))
        model[3].weight = model[2].weight
        model[2].bias = model[0].bias
        return model.eval()

    model = build()
    prune(model, 0.8, where="0")
    sparsify(model, X, times="predicted", replace="everywhere", where="0")
    save_sparse(model, tmp_path)
    with torch.device("meta"):
        skeleton = build()
    skeleton[1].weight.requires_grad_(False)
    loaded = load_sparse(tmp_path, skeleton)
    assert not any(tensor.is_meta for tensor in (*loaded.parameters(), *loaded.buffers()))
    assert torch.equal(loaded(X), model(X))
    assert loaded[3].weight is loaded[2].weight
    assert loaded[2].bias is loaded[0].bias
    assert [p.requires_grad for p in loaded[1].parameters()] == [False, True]


def test_a_meta_buffer_that_no_file_holds_is_an_error_and_changes_nothing(saved):
    with torch.device("meta"):
        skeleton = mlp()
        skeleton[4].register_buffer("angles", torch.ones(3), persistent=False)
    with pytest.raises(ValueError, match=r"4\.angles is on the meta device, and no saved file holds it"):
        load_sparse(saved[0], skeleton)
    assert type(skeleton[0]) is nn.Linear
    assert all(p.is_meta for p in skeleton.parameters())


def test_a_skeleton_that_does_not_fit_stays_on_the_meta_device(saved):
    skeleton = nn.Sequential(*mlp().to("meta"), nn.Linear(4, 4, device="meta"))
    with pytest.raises(ValueError, match=r"it has \['5.bias', '5.weight'\] that the file has not"):
        load_sparse(saved[0], skeleton)
    assert type(skeleton[0]) is nn.Linear
    assert all(p.is_meta for p in skeleton.parameters())


def hooked(model):
    model[3].register_forward_hook(lambda *_: None)


def subclassed(model):
    model[3].__class__ = type("Scaled", (nn.Linear,), {})


@pytest.mark.parametrize(
    ("change", "message"),
    [(hooked, "3 is saved as .* but here has 1 hook"), (subclassed, "3 is saved as .* but here is a Scaled")],
)
def test_a_skeleton_whose_layer_would_lose_something_is_refused(saved, change, message):
    skeleton = mlp()
    change(skeleton)
    with pytest.raises(ValueError, match=message):
        load_sparse(saved[0], skeleton)
    assert type(skeleton[0]) is nn.Linear
