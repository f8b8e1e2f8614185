"""The tour: a real sentence encoder, pruned in many ways, run on sparse kernels, and compared with dense PyTorch."""

from tamis.tour.calibration_sentences import CALIBRATION
from tamis.tour.charts import short_name
from tamis.tour.measure import Options, run
from tamis.tour.pruned import Encoder
from tamis.tour.report import write_report
from tamis.tour.rows import ModelRow, Tour
from tamis.tour.street import Street, label_street
from tamis.tour.table import write_table
from tamis.tour.verdict import best_row, verdict, warning

__all__ = [
    "CALIBRATION",
    "Encoder",
    "ModelRow",
    "Options",
    "Street",
    "Tour",
    "best_row",
    "label_street",
    "run",
    "short_name",
    "verdict",
    "warning",
    "write_report",
    "write_table",
]
