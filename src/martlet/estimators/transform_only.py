"""TRANSFORM_ONLY: preprocessing that is learned and stored like a model, without a model."""

from __future__ import annotations

from martlet.errors import MartletError
from martlet.estimators.base import Estimator, Fitted, Scoring, Training
from martlet.options import COMMON

__all__ = ["TransformOnly"]


class TransformOnly(Estimator):
    """BigQuery ML's TRANSFORM_ONLY."""

    model_type = "transform_only"
    task = "transform"
    options = COMMON

    def fit(self, training: Training) -> Fitted:
        """Learn nothing beyond the transform."""
        if not training.options["transform"]:
            raise MartletError("transform_only needs the option transform: a list of select items.")
        return Fitted({}, Scoring(None))
