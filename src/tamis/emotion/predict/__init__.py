"""Prediction: from a recording to a distribution, by a trained ensemble.

``recogniser``   audio in, :class:`EmotionResult` out
``ensemble``     the heads: members and meta-classifier, from the folder that training wrote
``members``      the one prediction path, of training and serving alike
``record``       ``recogniser.json``
``result``, ``view``, ``timeline_plot``   the answer, in the terminal, as a picture
``prior``, ``contribution``   how common categories are; what each stream adds
``export``       a recogniser in a folder of its own
"""

from tamis.emotion.predict.ensemble import Ensemble, load_weights
from tamis.emotion.predict.export import export_recogniser
from tamis.emotion.predict.members import TrainedMember, predict
from tamis.emotion.predict.prior import Prior, adjust, target_shares
from tamis.emotion.predict.recogniser import Recogniser, load
from tamis.emotion.predict.record import (
    RECOGNISER,
    WEIGHTS,
    MemberRecord,
    PriorRecord,
    RecogniserRecord,
    StreamRecord,
    read_recogniser,
    write_recogniser,
)
from tamis.emotion.predict.result import EmotionResult, Moment, columns
from tamis.emotion.predict.timeline_plot import plot_timeline
from tamis.emotion.predict.view import show

__all__ = [
    "RECOGNISER",
    "WEIGHTS",
    "EmotionResult",
    "Ensemble",
    "MemberRecord",
    "Moment",
    "Prior",
    "PriorRecord",
    "Recogniser",
    "RecogniserRecord",
    "StreamRecord",
    "TrainedMember",
    "adjust",
    "columns",
    "export_recogniser",
    "load",
    "load_weights",
    "plot_timeline",
    "predict",
    "read_recogniser",
    "show",
    "target_shares",
    "write_recogniser",
]
