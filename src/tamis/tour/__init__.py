"""The tour: a real sentence encoder, pruned in many ways, run on sparse kernels, and compared with dense PyTorch."""

from tamis.tour.measure import Options, run
from tamis.tour.pruned import Encoder
from tamis.tour.rows import Tour
from tamis.tour.verdict import verdict

__all__ = ["Encoder", "Options", "Tour", "run", "verdict"]
