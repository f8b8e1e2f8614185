"""Training: from a configuration and a feature set to an ensemble.

``config``       a run's configuration; ``settings`` has this room's part, ``presets/`` what comes with tamis
``run``          :func:`train`: the whole of it; ``first_config``: a configuration for a feature set
``stages``       the four stages, as data; ``sampling``: what an epoch sees
``members``, ``baseline``, ``member_jobs``   stages 1 and 2
``meta``, ``join``, ``soup``                 stages 3 and 4
"""

from tamis.emotion.train.config import Config, load_config, load_preset, merged, parse_config
from tamis.emotion.train.first_config import write_first_config
from tamis.emotion.train.join import final_predictions, inputs_of
from tamis.emotion.train.member_jobs import member_folder
from tamis.emotion.train.run import runs_of, train
from tamis.emotion.train.stages import last_stage

__all__ = [
    "Config",
    "final_predictions",
    "inputs_of",
    "last_stage",
    "load_config",
    "load_preset",
    "member_folder",
    "merged",
    "parse_config",
    "runs_of",
    "train",
    "write_first_config",
]
