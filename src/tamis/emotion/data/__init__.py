"""Data: feature sets on disk, and what training and evaluation make of them.

``feature_set``    the contract of a feature set; reader and writers
``packed_frames``  a stream of all utterances in one mapped file
``targets``        from votes to soft labels
``folds``          who trains and who is measured; ``doubts``: what makes that pointless
``training_data``  :func:`pack` once, :func:`load` wherever it is trained
``batch``          utterances side by side
``predictions``    what models say, as a table
``confusion``      confusion matrices and the figures read off them
``synthetic``      feature sets drawn from seeds
``settings``       this room's part of a configuration
"""

from tamis.emotion.data.batch import Batch, Inputs, padded_inputs, total_lengths
from tamis.emotion.data.confusion import (
    accuracy,
    confusion_matrix,
    f1_scores,
    macro_f1,
    precisions,
    recalls,
    uar,
)
from tamis.emotion.data.feature_set import FeatureSet, StreamInfo, write_index, write_stream
from tamis.emotion.data.folds import HELD_OUT, Rows, speaker_folds
from tamis.emotion.data.packed_frames import (
    PackedFrames,
    open_packed,
    pack_stream,
    pool_frames,
    view_frames,
    viewed_shape,
)
from tamis.emotion.data.predictions import Predictions, concatenated
from tamis.emotion.data.settings import DataSettings, Layer, Pool, Splits, StreamView, Targets
from tamis.emotion.data.synthetic import SynthRecipe, write_synthetic
from tamis.emotion.data.targets import consensus, disagreement, primary
from tamis.emotion.data.training_data import BatchList, Packed, TrainingData, load, pack

__all__ = [
    "HELD_OUT",
    "Batch",
    "BatchList",
    "DataSettings",
    "FeatureSet",
    "Inputs",
    "Layer",
    "Packed",
    "PackedFrames",
    "Pool",
    "Predictions",
    "Rows",
    "Splits",
    "StreamInfo",
    "StreamView",
    "SynthRecipe",
    "Targets",
    "TrainingData",
    "accuracy",
    "concatenated",
    "confusion_matrix",
    "consensus",
    "disagreement",
    "f1_scores",
    "load",
    "macro_f1",
    "open_packed",
    "pack",
    "pack_stream",
    "padded_inputs",
    "pool_frames",
    "precisions",
    "primary",
    "recalls",
    "speaker_folds",
    "total_lengths",
    "uar",
    "view_frames",
    "viewed_shape",
    "write_index",
    "write_stream",
    "write_synthetic",
]
