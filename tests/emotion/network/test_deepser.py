"""Legs and DeepSER: the published sizes, torch's own arithmetic, and padding that does not count."""

import pytest
import torch
from torch import nn

from tamis.emotion.network.branch import Branch, EncoderLayer, sinusoids
from tamis.emotion.network.deepser import DeepSER
from tamis.emotion.network.mixup import Mixing
from tamis.emotion.network.settings import PAPER, Architecture
from tamis.emotion.network.stream_adapter import StreamAdapter
from tamis.training import seeded

SMALL = Architecture(width=16, heads=4, hidden=32, dropout=0.1)


def batch(
    lengths: dict[str, list[int]], dim: int = 6
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    features, masks = {}, {}
    for name, counts in lengths.items():
        masks[name] = torch.arange(max(*counts, 1))[None] < torch.tensor(counts)[:, None]
        features[name] = torch.randn(*masks[name].shape, dim) * masks[name][..., None]
    return features, masks


@pytest.mark.parametrize(
    ("dims", "millions"), [((1024, 1024), 28.637195), ((1024, 1280, 1024), 36.122635)], ids=["two", "three"]
)
def test_published_parameter_counts(dims: tuple[int, ...], millions: float) -> None:
    with torch.device("meta"):
        model = DeepSER({f"s{i}": (dim, None) for i, dim in enumerate(dims)}, 8, PAPER)
    assert sum(p.numel() for p in model.parameters()) == round(millions * 1e6)


def test_late_fusion_has_no_fusion_legs() -> None:
    model = DeepSER({"a": (6, None), "b": (6, None)}, 5, Architecture(16, 4, 32, 0.1, fusion="late"))
    assert not [name for name, _ in model.named_parameters() if name.startswith("fusion")]
    assert model(*batch({"a": [3, 2], "b": [0, 4]})).logits.shape == (2, 5)


@pytest.mark.parametrize("streams", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "architecture",
    [SMALL, Architecture(16, 1, 32, 0.1, 0.0, False, False, "deep", False)],
    ids=["own", "paper"],
)
def test_any_number_of_streams(streams: int, architecture: Architecture) -> None:
    model = DeepSER({f"s{i}": (6, None) for i in range(streams)}, 5, architecture)
    features, masks = batch({f"s{i}": [3, 7 + i] for i in range(streams)})
    out = model(features, masks)
    assert out.logits.shape == (2, 5)
    assert out.attributes.shape == (2, 3)
    assert out.attributes.min() > 1
    assert out.attributes.max() < 7
    (out.logits.sum() + out.attributes.sum()).backward()
    assert all(p.grad is not None for p in model.parameters())


def test_paper_preset_takes_a_step() -> None:
    with seeded(0):
        model = DeepSER({"audio": (10, None), "text": (12, None)}, 8, PAPER)
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        features = {"audio": torch.randn(2, 9, 10), "text": torch.randn(2, 4, 12)}
        masks = {name: torch.ones(x.shape[:2], dtype=torch.bool) for name, x in features.items()}
        out = model(features, masks)
        (nn.functional.cross_entropy(out.logits, torch.tensor([1, 5])) + out.attributes.mean()).backward()
        torch.optim.AdamW(model.parameters(), lr=1e-3).step()
    assert all(not torch.equal(before[name], p) for name, p in model.named_parameters())


def test_encoder_layer_is_torchs() -> None:
    ours = EncoderLayer(16, 2, 24, dropout=0.0).double()
    theirs = nn.TransformerEncoderLayer(16, 2, 24, dropout=0.0, batch_first=True).double()
    names = {
        "self_attn.in_proj_": "qkv.",
        "self_attn.out_proj.": "out.",
        "linear1.": "expand.",
        "linear2.": "contract.",
        "norm1.": "norm_attention.",
        "norm2.": "norm_hidden.",
    }
    state = theirs.state_dict()
    for old, new in names.items():
        state = {name.replace(old, new): tensor for name, tensor in state.items()}
    ours.load_state_dict(state)
    x = torch.randn(3, 7, 16, dtype=torch.float64)
    mask = torch.arange(7)[None] < torch.tensor([[7], [3], [1]])
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours(x, mask)[mask], theirs(x, src_key_padding_mask=~mask)[mask])


def test_leg_pools_real_frames_only() -> None:
    branch = Branch(6, 16, 4, 32, dropout=0.0, positions=True).eval()
    features, masks = batch({"a": [3, 8]})
    out = branch(features["a"], masks["a"])
    torch.testing.assert_close(out.pooled[0], out.second[0, :3].mean(dim=0))
    assert out.first[0, 3:].abs().max() == 0
    assert out.second[0, 3:].abs().max() == 0


def test_padding_is_irrelevant() -> None:
    """Alone, or beside longer utterances, or padded with rubbish: the same answer."""
    model = DeepSER({"a": (6, 3), "b": (6, None)}, 8, SMALL).eval()
    features, masks = batch({"a": [5, 40], "b": [2, 9]})
    features["a"] = features["a"][:, :, None] + torch.randn(3, 1)
    together = model(features, masks)
    alone = model(
        {"a": features["a"][:1, :5], "b": features["b"][:1, :2]},
        {"a": masks["a"][:1, :5], "b": masks["b"][:1, :2]},
    )
    torch.testing.assert_close(alone.logits, together.logits[:1])
    features["a"][0, 5:], features["b"][0, 2:] = 1e4, -1e4
    torch.testing.assert_close(model(features, masks).logits, together.logits)


def test_paper_counts_padding() -> None:
    """Faithful to what was published: without masks, padding changes the answer."""
    model = DeepSER({"a": (6, None)}, 8, PAPER).eval()
    x = torch.randn(1, 5, 6)
    padded = torch.cat([x, torch.zeros(1, 20, 6)], dim=1)
    mask = torch.arange(25)[None] < 5
    assert not torch.allclose(
        model({"a": x}, {"a": mask[:, :5]}).logits, model({"a": padded}, {"a": mask}).logits
    )


def test_missing_streams() -> None:
    model = DeepSER({"a": (6, None), "b": (6, None)}, 8, SMALL).eval()
    features, masks = batch({"a": [5, 4], "b": [0, 3]})
    out = model(features, masks)
    assert out.logits.isfinite().all()
    features["b"][0] = 99.0
    torch.testing.assert_close(model(features, masks).logits, out.logits)
    out.logits.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    silent = model(
        {"a": torch.zeros(1, 1, 6), "b": torch.zeros(1, 1, 6)}, {k: torch.zeros(1, 1).bool() for k in "ab"}
    )
    assert silent.logits.isfinite().all()


def test_mixing_acts_on_the_joint_representation() -> None:
    """λ = 1 changes nothing; λ = 0 gives the partner's prediction, for categories and attributes alike."""
    model = DeepSER({"a": (6, None)}, 8, SMALL).eval()
    features, masks = batch({"a": [5, 4, 3]})
    plain = model(features, masks)
    partner = torch.tensor([2, 0, 1])
    mixed = model(features, masks, Mixing(torch.tensor([1.0, 0.0, 0.0]), partner))
    torch.testing.assert_close(mixed.logits, torch.stack([plain.logits[0], plain.logits[0], plain.logits[1]]))
    torch.testing.assert_close(mixed.attributes[1:], plain.attributes[partner[1:]])


def test_stream_input_measures_and_mixes() -> None:
    enter = StreamAdapter(4, 3, standardise=True)
    frames = torch.randn(50, 3, 4) * 7 + 3
    enter.measure(frames)
    mask = torch.tensor([[True] * 49 + [False]])
    out = enter(frames[None], mask)
    expected = ((frames - frames.mean(0)) / frames.std(0, correction=0)).mean(dim=1)
    torch.testing.assert_close(out[0, :49], expected[:49])
    assert out[0, 49].abs().max() == 0
    with torch.no_grad():
        enter.mixture.copy_(torch.tensor([-99.0, 99.0, -99.0]))
    torch.testing.assert_close(
        enter(frames[None], mask)[0, 0], (frames[0, 1] - frames.mean(0)[1]) / frames.std(0, correction=0)[1]
    )


def test_constant_dimension_stays_finite() -> None:
    enter = StreamAdapter(2, None, standardise=True)
    enter.measure(torch.ones(5, 2))
    assert enter(torch.ones(1, 3, 2), torch.ones(1, 3).bool()).isfinite().all()


def test_sinusoids() -> None:
    p = sinusoids(10, 8)
    assert p.shape == (10, 8)
    torch.testing.assert_close(p[0], torch.tensor([0.0] * 4 + [1.0] * 4))
    assert torch.pdist(p).min() > 0.1
    assert sinusoids(3, 5).shape == (3, 5)


def test_wrong_sizes() -> None:
    with pytest.raises(ValueError, match="not a multiple of heads"):
        EncoderLayer(10, 3, 8, 0.0)
    with pytest.raises(ValueError, match="at least one stream"):
        DeepSER({}, 8, SMALL)
