"""Network: the models of an ensemble, what they minimise, and how a batch is made harder in training.

``settings``           sizes, members, losses, regularisation: this room's part of a configuration
``deepser``            DeepSER, of ``branch`` and ``stream_adapter``
``ridge``, ``member``  the other kind of member; a member by its kind
``meta``               the linear layer that joins the members
``baseline``           the challenge's baseline
``losses``, ``mixup``, ``modality_dropout``
"""

from tamis.emotion.network.baseline import Baseline
from tamis.emotion.network.deepser import DeepSER, Prediction
from tamis.emotion.network.losses import class_weights, joint_loss, soft_cross_entropy
from tamis.emotion.network.member import new_member
from tamis.emotion.network.meta import MetaClassifier, MetaInputs, meta_inputs, meta_predict
from tamis.emotion.network.mixup import Mixing, draw_mixing
from tamis.emotion.network.modality_dropout import hide_streams
from tamis.emotion.network.ridge import RidgeSER
from tamis.emotion.network.settings import PAPER, Architecture, Loss, Member, Name, Regularisation
from tamis.emotion.network.stream_adapter import StreamAdapter

__all__ = [
    "PAPER",
    "Architecture",
    "Baseline",
    "DeepSER",
    "Loss",
    "Member",
    "MetaClassifier",
    "MetaInputs",
    "Mixing",
    "Name",
    "Prediction",
    "Regularisation",
    "RidgeSER",
    "StreamAdapter",
    "class_weights",
    "draw_mixing",
    "hide_streams",
    "joint_loss",
    "meta_inputs",
    "meta_predict",
    "new_member",
    "soft_cross_entropy",
]
