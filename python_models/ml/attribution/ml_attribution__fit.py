"""Counts how visitors move between channels, and what is lost without each of them."""

from martlet.python_model import fitted_model


def model(dbt, session):
    """Ask for the Markov chain of the paths."""
    dbt.config(materialized="model")
    return fitted_model(dbt.ref("ml_attribution__training_set"), dbt.config.meta_get("ml_config"))
