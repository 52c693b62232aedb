"""Fit what an offer changes: uplift candidates on the customers of the latest experiment."""

from martlet.python_model import fitted_model


def model(dbt, session):
    """Fit on one half of the customers and judge on the other; everything else is the config's."""
    dbt.config(materialized="model")
    return fitted_model(dbt.ref("ml_retention__training_set"), dbt.config.meta_get("ml_config"))
