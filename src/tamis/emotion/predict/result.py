"""The result of a prediction: a distribution over categories first, everything else around it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from tamis.emotion.corpora import ATTRIBUTES


@dataclass(frozen=True)
class Moment:
    """A window of the recording.

    Attributes
    ----------
    start_s, end_s : float
    votes : dict of category to probability, sum 1
    attributes : dict of attribute to value on 1..7, or None
    """

    start_s: float
    end_s: float
    votes: Mapping[str, float]
    attributes: Mapping[str, float] | None


@dataclass(frozen=True)
class EmotionResult:
    """Prediction for one recording.

    Attributes
    ----------
    source : str
        The path as it was given, the name of the stream, ``"bytes"`` or ``"array"``.
    duration_s : float
    speech : bool
        False where nobody speaks; then ``votes`` is empty and nothing below is known.
    votes : dict of category to probability
        How raters' votes would be distributed, sum 1.
    entropy : float
        Of ``votes``, in nats: 0 = all agree, ln(number of categories) = evenly split; NaN without speech.
    p_disagree : float
        Probability that two raters name different categories, 1 - sum of squares; NaN without speech.
    attributes : dict of attribute to value on 1..7, or None
        Valence, arousal, dominance, where the model has learnt them.
    transcript : str or None
        None where no transcript was asked for.
    contributions : dict of stream to float
        What each stream adds to (or takes from) the probability of the first category.
    timeline : tuple of Moment
        One per window; a short clip is one window.
    notes : tuple of str
        What should be known about the recording (cut short, very short, clipping, channels, scale, …).
    trusted : bool
        False where ``notes`` begin with a reason to doubt the answer: the recording is cut short, or very short.
    """

    source: str
    duration_s: float
    speech: bool
    votes: Mapping[str, float] = field(default_factory=dict)
    entropy: float = math.nan
    p_disagree: float = math.nan
    attributes: Mapping[str, float] | None = None
    transcript: str | None = None
    contributions: Mapping[str, float] = field(default_factory=dict)
    timeline: tuple[Moment, ...] = ()
    notes: tuple[str, ...] = ()
    trusted: bool = True

    @property
    def top(self) -> str | None:
        """The likeliest category, None without speech."""
        return max(self.votes, key=self.votes.__getitem__) if self.votes else None

    def to_json(self) -> str:
        """All of it as one JSON object; numbers that are not known are null."""
        plain = {"source": self.source, "top": self.top, **asdict(self)}
        return json.dumps(
            {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in plain.items()},
            ensure_ascii=False,
        )

    def row(self) -> dict[str, str | float]:
        """One flat row for a table: the same columns for every recording of one model that has speech."""
        return {
            "source": self.source,
            "duration_s": round(self.duration_s, 3),
            "speech": int(self.speech),
            "top": self.top or "",
            **{f"p/{category}": round(p, 6) for category, p in self.votes.items()},
            "entropy": "" if math.isnan(self.entropy) else round(self.entropy, 6),
            "p_disagree": "" if math.isnan(self.p_disagree) else round(self.p_disagree, 6),
            **dict(self.attributes or {}),
            "transcript": self.transcript or "",
            "trusted": int(self.trusted),
            "notes": "; ".join(self.notes),
        }


def columns(categories: Sequence[str]) -> list[str]:
    """Columns of :meth:`EmotionResult.row` for a model, in order."""
    shares = [f"p/{category}" for category in categories]
    return [
        "source",
        "duration_s",
        "speech",
        "top",
        *shares,
        "entropy",
        "p_disagree",
        *ATTRIBUTES,
        "transcript",
        "trusted",
        "notes",
    ]


def entropy(votes: Mapping[str, float]) -> float:
    """Entropy of a distribution, in nats."""
    return -sum(p * math.log(p) for p in votes.values() if p > 0)


def p_disagree(votes: Mapping[str, float]) -> float:
    """Probability that two raters drawn from ``votes`` differ."""
    return 1.0 - sum(p * p for p in votes.values())
