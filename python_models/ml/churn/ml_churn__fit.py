"""Fit the churn model: candidates compared on a later cut-off, the best one calibrated."""

from martlet.python_model import fitted_model


def model(dbt, session):
    """Fit on the labelled cut-offs; everything else is the config's."""
    dbt.config(materialized="model")
    return fitted_model(dbt.ref("ml_churn__training_set"), dbt.config.meta_get("ml_config"))
