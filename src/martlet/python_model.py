"""What a dbt Python model returns to make a fitted model.

The fit itself happens afterwards, in the `model` materialization, so that a Python model too is
only fitted when something has changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from martlet.estimators.base import Estimator

__all__ = ["ModelRequest", "fitted_model"]


@dataclass(frozen=True)
class ModelRequest:
    """Rows, options and, if it is not a registered type, the estimator of a model."""

    rows: Any
    ml_config: Mapping[str, Any] | None = None
    estimator: Estimator | None = None


def fitted_model(
    rows: Any, ml_config: Mapping[str, Any] | None = None, estimator: Estimator | None = None
) -> ModelRequest:
    """Ask for a model fitted on rows.

    Parameters
    ----------
    rows : DuckDBPyRelation, pyarrow.Table, pandas.DataFrame or str
        The training rows: usually ``dbt.ref("...")``, or a query.
    ml_config : mapping, optional
        Model type and options; by default the ``ml_config`` of the dbt model.
    estimator : Estimator, optional
        A model type of your own, which need not be in the registry.

    Returns
    -------
    ModelRequest
        To be returned by the Python model.

    Examples
    --------
    >>> def model(dbt, session):
    ...     dbt.config(materialized="model")
    ...     rows = dbt.ref("ml_churn__training_set")
    ...     return fitted_model(rows, dbt.config.meta_get("ml_config"))
    """
    return ModelRequest(rows, ml_config, estimator)
