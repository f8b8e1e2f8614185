"""Sparse models as folders: one safetensors file and ``tamis.json``, which names it.

The manifest is written last and renamed into place, and every tensor file has a name made of its content. So a folder
always holds a whole model, the old one or the new one, whenever the writer is killed.
"""

import re
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tamis.formats import from_record, to_record
from tamis.inspect import additions, is_plain, memory_of
from tamis.models import architecture
from tamis.models.manifest import FILE, Manifest, SavedLayer, read_manifest, to_json
from tamis.models.replacement import swap
from tamis.nn import PLANNED_N, FormatState, SparseLinear
from tamis.storage import (
    read_tensors,
    remove_leftovers,
    sha256_of_file,
    write_tensors_named_by_content,
    write_text,
)

# A part file this old belongs to no writer that still lives.
ABANDONED_S = 3600


def save_sparse(model: nn.Module, folder: str | Path) -> None:
    """Save a model with its SparseLinear layers; :func:`load_sparse` restores it bit for bit.

    Saved are the tensors of ``state_dict``, those of sparse layers in their format, and how these are to be read; for models
    of ``transformers`` also the architecture. A model that the folder already holds is replaced, in one step. Nothing is pickled.

    Parameters
    ----------
    model : nn.Module
        Dense layers are saved too; tied weights once.
    folder : path
        Made if needed.

    Raises
    ------
    TypeError    if ``state_dict`` holds something else than plain tensors: quantised ones, subclasses, other objects.
    ValueError   if a tensor has no values (meta device), a transformers model is quantised, or the folder is a file.

    Examples
    --------
    >>> model = torch.nn.Sequential(torch.nn.Linear(64, 64))
    >>> _ = tamis.prune(model, sparsity=0.9)
    >>> _ = tamis.sparsify(model, example_inputs=(torch.randn(8, 64),), replace="everywhere")
    >>> tamis.save_sparse(model, "saved")
    >>> again = tamis.load_sparse("saved", torch.nn.Sequential(torch.nn.Linear(64, 64)))
    >>> type(again[0]).__name__
    'SparseLinear'
    """
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"save_sparse(model, folder): model is a {type(model).__name__}, expected an nn.Module."
        )
    folder = _path("save_sparse(model, folder)", folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"save_sparse(model, {str(folder)!r}): expected a folder, but this is a file.")
    if isinstance(model, SparseLinear):
        raise ValueError(
            "save_sparse(model): the model is itself a SparseLinear, which load_sparse could not put in place; "
            "wrap it, nn.Sequential(model), or keep its matrix alone: tamis.save(model.matrix, path)."
        )
    tensors, tied = _distinct(model)
    name, sha256 = write_tensors_named_by_content(folder, "model", tensors)
    sparse = {name: layer for name, layer in model.named_modules() if isinstance(layer, SparseLinear)}
    manifest = Manifest(
        model_class=type(model).__name__,
        tensors=name,
        sha256=sha256,
        layers={key: _saved(layer) for key, layer in sparse.items()},
        tied=tied,
        architecture=architecture.describe(model),
    )
    write_text(folder / FILE, to_json(manifest))
    _remove_former(folder, name)


def _saved(layer: SparseLinear) -> SavedLayer:
    n = None if layer.plan.n == PLANNED_N else layer.plan.n
    compute = None if layer.compute == "float32" else layer.compute
    return SavedLayer(to_record(layer.matrix)[1], layer.kernel, n, compute)


def load_sparse(folder: str | Path, model: nn.Module | None = None) -> nn.Module:
    """Load a model that :func:`save_sparse` wrote, without network and without pickle.

    Parameters
    ----------
    folder : path
    model : nn.Module, optional
        The model as it was before ``sparsify``, with any numbers or on the meta device: its ``nn.Linear`` layers are
        replaced, in place, where the saved ones are sparse. Models of ``transformers`` need none: they are built from the saved
        configuration, in eval mode.

    Returns
    -------
    nn.Module
        ``model`` itself if given.

    Raises
    ------
    FileNotFoundError   if the folder holds no saved model.
    ValueError          if the files are damaged, do not fit together, or do not fit the model.

    Examples
    --------
    >>> model = torch.nn.Sequential(torch.nn.Linear(64, 64))
    >>> tamis.save_sparse(model, "dense")
    >>> x = torch.randn(2, 64)
    >>> again = tamis.load_sparse("dense", torch.nn.Sequential(torch.nn.Linear(64, 64)))
    >>> torch.equal(again(x), model(x))
    True
    """
    folder = _path("load_sparse(folder)", folder)
    if not isinstance(model, nn.Module | None):
        cure = f"; did you mean {model.__name__}(...)?" if isinstance(model, type) else "."
        raise TypeError(
            f"load_sparse(folder, model): model is a {type(model).__name__}, expected an nn.Module{cure}"
        )
    manifest = read_manifest(folder)
    tensors = _read_tensors(folder / manifest.tensors, manifest.sha256)
    if model is None:
        if manifest.architecture is None:
            raise ValueError(
                f"load_sparse({str(folder)!r}): the saved {manifest.model_class} is no model of transformers, so its "
                f"code is not known here. Give it: load_sparse(folder, model={manifest.model_class}(...))."
            )
        model = architecture.build(manifest.architecture)
    call = f"load_sparse({str(folder)!r})"
    state = _with_tied(call, tensors, manifest.tied)
    layers = {name: _sparse_layer(call, model, name, saved, state) for name, saved in manifest.layers.items()}
    _fill(call, model, layers, state)
    return model


def _path(call: str, folder: object) -> Path:
    if not isinstance(folder, str | PathLike):
        raise TypeError(f"{call}: folder is a {type(folder).__name__}, expected a path.")
    return Path(folder)


def _distinct(model: nn.Module) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Split ``state_dict`` into tensors, each memory once, and the keys that are other names of them."""
    tensors: dict[str, Tensor] = {}
    tied: dict[str, str] = {}
    first: dict[object, str] = {}
    for key, tensor in model.state_dict(destination=FormatState()).items():
        if not isinstance(tensor, Tensor) or not is_plain(tensor):
            raise TypeError(
                f"save_sparse(model): {key} is a {type(tensor).__name__}, no dense tensor, and nothing else is saved (no pickle)."
            )
        if tensor.is_meta:
            raise ValueError(f"save_sparse(model): {key} is on the meta device, without values.")
        holder = first.setdefault(memory_of(tensor), key)
        if holder != key:
            tied[key] = holder
            continue
        part_of_more = tensor.untyped_storage().nbytes() != tensor.nbytes
        tensors[key] = tensor.cpu().clone() if part_of_more else tensor.cpu().contiguous()
    return tensors, tied


def _with_tied(call: str, tensors: dict[str, Tensor], tied: dict[str, str]) -> dict[str, Tensor]:
    for key, holder in tied.items():
        if holder not in tensors or key in tensors:
            raise ValueError(
                f"{call}: tied says that {key} is {holder}, which does not fit the tensors in the file."
            )
    return tensors | {key: tensors[holder] for key, holder in tied.items()}


def _read_tensors(path: Path, sha256: str) -> dict[str, Tensor]:
    if not path.is_file():
        raise ValueError(f"{path.parent / FILE}: it names {path.name}, which is not there.")
    if sha256_of_file(path) != sha256:
        raise ValueError(f"{path}: damaged: its sha256 is not the one in {FILE}.")
    tensors, _ = read_tensors(path)
    return tensors


@torch.inference_mode(False)  # values made in inference mode could never be trained, nor packed just once
def _sparse_layer(
    call: str, model: nn.Module, name: str, saved: SavedLayer, state: dict[str, Tensor]
) -> tuple[nn.Module, SparseLinear]:
    """Build one SparseLinear from the file, and find the layer whose place it takes."""
    try:
        old = model.get_submodule(name)
    except AttributeError:
        raise ValueError(
            f"{call}: the saved model has a sparse layer {name!r}, this one has no such layer."
        ) from None
    # Copies: tensors of the mapped file would change or vanish with it.
    own = {key[len(name) + 1 :]: t.clone() for key, t in state.items() if key.rpartition(".")[0] == name}
    bias = own.pop("bias", None)
    matrix = from_record(f"{call}: {name}", own, saved.format)
    if not isinstance(old, nn.Linear | SparseLinear):
        raise ValueError(f"{call}: {name} is saved as a sparse layer, but is a {type(old).__name__} here.")
    if lost := additions(old, SparseLinear if isinstance(old, SparseLinear) else nn.Linear):
        raise ValueError(f"{call}: {name} is saved as a plain sparse layer, but here {lost}.")
    here, there = (old.out_features, old.in_features), matrix.shape
    if here != there or (old.bias is None) != (bias is None):
        raise ValueError(
            f"{call}: {name} is saved with shape {there} and {'no' if bias is None else 'a'} bias, "
            f"but here has shape {here} and {'no' if old.bias is None else 'a'} bias."
        )
    # The bias stays the model's own parameter, filled later, since other layers may share it.
    n = PLANNED_N if saved.n is None else saved.n
    sparse = SparseLinear(
        matrix, old.bias, kernel=saved.kernel, n=n, compute=saved.compute or "float32"
    ).train(old.training)
    weight = old.values if isinstance(old, SparseLinear) else old.weight
    if sparse.values.is_floating_point():
        sparse.values.requires_grad_(weight.requires_grad)
    return old, sparse


def _fill(
    call: str,
    model: nn.Module,
    layers: dict[str, tuple[nn.Module, SparseLinear]],
    state: dict[str, Tensor],
) -> None:
    """Put the sparse layers in their places and copy all tensors but their weights; on error put the former back."""
    replacements: dict[nn.Module, nn.Module] = dict(layers.values())
    swap(model, replacements)
    modules = dict(model.named_modules(remove_duplicate=False))

    def in_format(key: str) -> bool:
        """Whether a key is of a sparse layer's matrix, which is there already."""
        name, _, own = key.rpartition(".")
        return own != "bias" and isinstance(modules.get(name), SparseLinear)

    rest = {key: tensor for key, tensor in state.items() if not in_format(key)}
    former: list[tuple[dict[str, Any], str, Tensor]] = []
    try:
        former = _off_meta(call, model)
        _take_dtypes(model, rest)
        result = model.load_state_dict(rest, strict=False)
        missing = sorted(key for key in result.missing_keys if not in_format(key))
        if missing or result.unexpected_keys:
            raise ValueError(
                f"{call}: the model is not the saved one: it has {missing or 'nothing'} that the file has not, "
                f"and the file has {result.unexpected_keys or 'nothing'} that it has not."
            )
    except (RuntimeError, ValueError) as error:
        for table, name, tensor in former:
            table[name] = tensor
        swap(model, {new: old for old, new in replacements.items()})
        raise error if isinstance(error, ValueError) else ValueError(f"{call}: {error}") from None


def _off_meta(call: str, model: nn.Module) -> list[tuple[dict[str, Any], str, Tensor]]:
    """Give tensors on the meta device memory to be filled, the same for all names of one; return what stood where."""
    former: list[tuple[dict[str, Any], str, Tensor]] = []
    made: dict[Tensor, Tensor] = {}
    for name, module in model.named_modules():
        for key in module._non_persistent_buffers_set:
            if (buffer := module._buffers.get(key)) is not None and buffer.is_meta:
                raise ValueError(
                    f"{call}: {name}.{key} is on the meta device, and no saved file holds it (persistent=False). "
                    "Make the model on the CPU: without torch.device('meta')."
                )
        for table in (module._parameters, module._buffers):
            former += [(table, key, t) for key, t in table.items() if t is not None and t.is_meta]
    for table, key, tensor in former:
        if tensor not in made:
            empty = torch.empty_like(tensor, device="cpu")
            is_parameter = isinstance(tensor, nn.Parameter)
            made[tensor] = nn.Parameter(empty, tensor.requires_grad) if is_parameter else empty
        table[key] = made[tensor]
    return former


def _take_dtypes(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Give the model's tensors the dtypes of the saved ones, so that copying does not round."""
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if name in state and state[name].dtype != tensor.dtype:
            tensor.data = tensor.data.to(state[name].dtype)


def _remove_former(folder: Path, current: str) -> None:
    """Remove tensors of models that the manifest no longer names, and parts left by writers that were killed."""
    for path in folder.iterdir():
        if re.fullmatch(r"model-[0-9a-f]{16}\.safetensors", path.name) and path.name != current:
            path.unlink(missing_ok=True)
    remove_leftovers(folder, older_than_s=ABANDONED_S)
