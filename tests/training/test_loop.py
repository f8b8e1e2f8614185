"""The loop: every batch counts, accumulation is exact, the best weights stay, and a killed run ends as if it had not been."""

import dataclasses
import itertools
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file
from torch import Tensor, nn

from tamis.pruning import apply_masks, prune
from tamis.training import Stage, fit, seeded

X = torch.randn(24, 6, generator=torch.Generator().manual_seed(0))
Y = X @ torch.randn(6, 2, generator=torch.Generator().manual_seed(1))
CPU: dict[str, Any] = {"accelerator": "cpu", "devices": 1}


def batches(epoch: int, generator: torch.Generator) -> list[tuple[Tensor, Tensor]]:
    order = torch.randperm(len(X), generator=generator)
    return [(X[rows], Y[rows]) for rows in order.split(5)]


def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return nn.functional.mse_loss(model(batch[0]), batch[1])


def stage(name: str = "a", epochs: int = 3, **changes: Any) -> Stage:
    values: dict[str, Any] = {
        "batches": batches,
        "loss": loss,
        "optimizer": lambda p: torch.optim.AdamW(p, lr=1e-2),
    }
    return Stage(name, epochs, **(values | changes))


def network() -> nn.Module:
    with seeded(7, "init"):
        return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))


def run(model: nn.Module, stages: list[Stage], folder: Path, **options: Any) -> list[Any]:
    return fit(model, stages, folder=folder, seed=3, fabric=Fabric(**CPU), **options)


def test_every_batch_changes_the_weights(tmp_path: Path) -> None:
    model, seen = network(), []

    def watched(m: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        seen.append(model[0].weight.detach().clone())
        return loss(m, batch)

    run(model, [stage(loss=watched, epochs=2)], tmp_path)
    seen.append(model[0].weight.detach().clone())
    assert len(seen) == 2 * 5 + 1
    assert all(not torch.equal(before, after) for before, after in itertools.pairwise(seen))


def test_accumulation_equals_the_large_batch(tmp_path: Path) -> None:
    """Five batches in groups of two: steps on 2, 2 and 1 of them; no batch is lost."""
    parts = list(zip(X.split(4)[:5], Y.split(4)[:5], strict=True))
    joined = [(torch.cat([a[0], b[0]]), torch.cat([a[1], b[1]])) for a, b in [parts[0:2], parts[2:4]]] + [
        parts[4]
    ]
    weights = []
    for name, data, accumulate in (("small", parts, 2), ("large", joined, 1)):
        model = nn.Linear(6, 2, bias=False)
        nn.init.ones_(model.weight)
        run(
            model,
            [
                stage(
                    batches=lambda *_, data=data: data,
                    accumulate=accumulate,
                    optimizer=lambda p: torch.optim.SGD(p, lr=0.1),
                )
            ],
            tmp_path / name,
        )
        weights.append(model.weight.detach())
    torch.testing.assert_close(weights[0], weights[1])


def test_schedule_and_clipping(tmp_path: Path) -> None:
    rates: list[float] = []

    class Recording(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            rates.append(self.param_groups[0]["lr"])
            gradients = torch.cat([p.grad.flatten() for p in self.param_groups[0]["params"]])
            assert gradients.norm() < 1e-3 + 1e-6
            return super().step(closure)

    half = stage(
        epochs=2,
        clip_norm=1e-3,
        schedule=lambda progress: 1 - progress,
        optimizer=lambda p: Recording(p, lr=0.5),
    )
    run(network(), [half], tmp_path)
    assert rates == pytest.approx([0.5 * (1 - i / 10) for i in range(10)])


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=1e-2, momentum=0.9, nesterov=True, weight_decay=1e-2),
    "adamw": lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=1e-1),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_masks_hold_after_every_step(optimizer: str, tmp_path: Path) -> None:
    model, masks = _pruned()
    start = model[0].weight.detach().clone()
    strays = []

    def watched(m: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        strays.append(
            sum(int(model.get_parameter(name)[~mask].count_nonzero()) for name, mask in masks.items())
        )
        return loss(m, batch)

    run(model, [stage(loss=watched, optimizer=OPTIMIZERS[optimizer], **_keeping(masks))], tmp_path)
    assert strays == [0] * 15
    assert not model[0].weight[~masks["0.weight"]].any()
    assert (model[0].weight != start)[masks["0.weight"]].float().mean() > 0.9


def test_without_the_hook_momentum_fills_the_zeros(tmp_path: Path) -> None:
    model, masks = _pruned()
    run(model, [stage(optimizer=OPTIMIZERS["sgd"], epochs=1)], tmp_path)
    assert model[0].weight[~masks["0.weight"]].any()


def test_the_hook_comes_once_per_optimizer_step_without_gradients(tmp_path: Path) -> None:
    model, calls = network(), []
    hook = {"after_step": lambda m: calls.append((m is model, torch.is_grad_enabled()))}
    run(model, [stage(accumulate=2, epochs=2, **hook)], tmp_path)
    assert calls == [(True, False)] * 2 * 3


def test_best_weights_and_patience(tmp_path: Path) -> None:
    scores = iter([0.1, 0.5, 0.3, 0.5, 0.9])
    snapshots: list[Tensor] = []

    def validate(model: nn.Module) -> dict[str, float]:
        assert not model.training
        assert not torch.is_grad_enabled()
        snapshots.append(model.state_dict()["0.weight"].clone())
        return {"score": next(scores)}

    model = network()
    watched = stage(epochs=9, validate=validate, monitor="score", patience=2, keep="best")
    (result,) = run(model, [watched], tmp_path)
    assert result.kept_epoch == 1
    assert [h["score"] for h in result.history] == [0.1, 0.5, 0.3, 0.5]
    assert torch.equal(model[0].weight, snapshots[1])
    assert torch.equal(load_file(tmp_path / "a" / "weights.safetensors")["0.weight"], snapshots[1])


def test_finished_run_does_nothing_more(tmp_path: Path) -> None:
    first, second = network(), network()
    results = run(first, [stage()], tmp_path)
    again = run(second, [stage(loss=lambda *_: pytest.fail("trained again"))], tmp_path)
    assert again == results
    assert torch.equal(first[0].weight, second[0].weight)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"batches": lambda *_: []}, ValueError, "no batch in epoch 0"),
        ({"loss": lambda m, b: loss(m, b) * float("nan")}, FloatingPointError, "batch 0"),
        ({"validate": lambda m: {"x": 1.0}, "monitor": "y"}, ValueError, "monitors 'y'"),
        ({"validate": lambda m: {"y": float("nan")}, "monitor": "y"}, FloatingPointError, "which is nan"),
    ],
)
def test_mistakes(tmp_path: Path, changes: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        run(network(), [stage(**changes)], tmp_path)


def test_stage_checks() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        stage(epochs=0)
    with pytest.raises(ValueError, match="monitor"):
        stage(patience=3)
    with pytest.raises(ValueError, match="same name"):
        run(network(), [stage(), stage()], Path())


def test_foreign_and_damaged_state(tmp_path: Path) -> None:
    run(network(), [stage()], tmp_path, fingerprint="one")
    with pytest.raises(ValueError, match="other settings"):
        run(network(), [stage()], tmp_path, fingerprint="two")
    (tmp_path / "resume.pt").write_bytes(b"PK\x03\x04 not a state")
    with pytest.raises(ValueError, match="is damaged"):
        run(network(), [stage()], tmp_path, fingerprint="one")


def test_state_cannot_run_code(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "owned"),)

    torch.save({"fingerprint": "", "state": Evil()}, tmp_path / "resume.pt")
    with pytest.raises(ValueError, match="is damaged"):
        run(network(), [stage()], tmp_path)
    assert not (tmp_path / "owned").exists()


def _stages_for_killing() -> list[Stage]:
    def validate(model: nn.Module) -> dict[str, float]:
        return {"score": -float(nn.functional.mse_loss(model(X), Y))}

    def slow(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        time.sleep(0.004)
        return loss(model, batch)

    return [
        stage("first", epochs=6, loss=slow),
        stage("second", epochs=6, loss=slow, validate=validate, monitor="score", keep="best", accumulate=2),
    ]


def _pruned() -> tuple[nn.Module, dict[str, Tensor]]:
    model = network()
    return model, prune(model, 0.6).masks


def _keeping(masks: dict[str, Tensor]) -> dict[str, Any]:
    return {"after_step": lambda model: apply_masks(model, masks)}


def _dense_run() -> tuple[nn.Module, list[Stage]]:
    return network(), _stages_for_killing()


def _masked_run() -> tuple[nn.Module, list[Stage]]:
    model, masks = _pruned()
    return model, [dataclasses.replace(s, **_keeping(masks)) for s in _stages_for_killing()]


def _train_in_child(make: Callable[[], tuple[nn.Module, list[Stage]]], folder: Path) -> None:
    torch.set_num_threads(1)
    run(*make(), folder)


def _contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "resume.pt":
            yield str(path.relative_to(folder)), path.read_bytes()


@pytest.mark.parametrize("make", [_dense_run, _masked_run])
def test_killed_at_random_moments(make: Callable[[], tuple[nn.Module, list[Stage]]], tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        run(*make(), tmp_path / "whole")
    finally:
        torch.set_num_threads(threads)
    moments, kills = random.Random(0), 0
    context = multiprocessing.get_context("fork")
    while True:
        child = context.Process(target=_train_in_child, args=(make, tmp_path / "killed"))
        child.start()
        child.join(moments.uniform(0.01, 0.15) if kills < 12 else None)
        if child.exitcode == 0:
            break
        assert child.exitcode is None, "the child failed by itself"
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        kills += 1
    assert kills >= 3
    left = {name for name, _ in _contents(tmp_path / "killed") if not name.endswith(".part")}
    assert left == {name for name, _ in _contents(tmp_path / "whole")}
    killed = dict(_contents(tmp_path / "killed"))
    for name, content in _contents(tmp_path / "whole"):
        assert killed[name] == content, name
