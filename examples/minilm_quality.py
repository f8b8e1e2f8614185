"""How much of a real sentence encoder survives pruning without retraining: cosine to its dense embeddings, as CSV.

python examples/minilm_quality.py > docs/results/minilm_quality.csv
"""

import copy
import csv
import sys

from tamis.pretrained import embed, load_minilm, tokenize
from tamis.pruning import prune
from tamis.workloads import SENTENCES

CALIBRATION, HELD_OUT = SENTENCES[:32], SENTENCES[32:]


def main(sparsities: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)) -> None:
    encoder = load_minilm()
    calibration = [tokenize(encoder.tokenizer, CALIBRATION)]
    exact = embed(encoder.model, encoder.tokenizer, HELD_OUT)
    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow(["model", "pattern", "score", "sparsity", "sentences", "mean_cosine", "min_cosine"])
    for pattern in ("unstructured", "4x1", "2:4"):
        for score in ("magnitude", "wanda"):
            for sparsity in (0.5,) if pattern == "2:4" else sparsities:
                model = copy.deepcopy(encoder.model)
                prune(model, sparsity, pattern, score, calibration=calibration if score == "wanda" else None)
                cosine = (embed(model, encoder.tokenizer, HELD_OUT) * exact).sum(1)
                cells = [f"{value:.4f}" for value in (cosine.mean(), cosine.min())]
                rows.writerow(["MiniLM-L6", pattern, score, sparsity, len(HELD_OUT), *cells])


if __name__ == "__main__":
    main()
