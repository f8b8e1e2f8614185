"""Tours made by hand, for tests of what is said about them."""

from tamis.models import SparsifiedLayer
from tamis.tour.rows import Configuration, LayerRow, ModelRow, Speed, Tour


def speed(ms, waiting=0.0):
    return Speed(ms, ms * 0.9, ms * 1.1, waiting)


def layer(name="encoder.layer.0.output.dense", replaced=True, reason="2.00x as fast (measured)"):
    done = SparsifiedLayer(
        name, (64, 128), 0.5, replaced, reason, (96,), "CSR", "cpu/spmm_csr", 0.2, 0.1, 3e-7, 32768, 50000
    )
    return LayerRow(done, 0.3, 30000, 20000)


def row(ms, cosine, pattern="unstructured", sparsity=0.5, aim=None, layers=None):
    return ModelRow(
        Configuration(pattern, sparsity, aim),
        0.26 if sparsity is None else sparsity,
        cosine,
        cosine - 0.01,
        speed(ms),
        speed(ms / 30),
        (layer(),) if layers is None else layers,
    )


def tour(*rows, dense_ms=100.0, packed_ms=None, damages=(), **changes):
    fields = {
        "model": "MiniLM-L6",
        "sentences": 64,
        "tokens": 799,
        "padded_tokens": 1152,
        "single_tokens": 12,
        "calibration": 48,
        "dense_batch": speed(dense_ms),
        "dense_single": speed(dense_ms / 25),
        "packed_batch": None if packed_ms is None else speed(packed_ms),
        "packed_single": None if packed_ms is None else speed(packed_ms / 25),
        "dense_bytes": 32768,
        "other_bytes": 1 << 20,
        "rows": rows,
        "damages": damages,
        "environment": {"CPU": "a CPU", "Command": "tamis tour --pattern 4x1"},
    }
    return Tour(**(fields | changes))
