"""Learns purchase intent: will a visit buy, will it leave, for how much, and is it worth waiting."""

from martlet.python_model import fitted_model


def model(dbt, session):
    """Ask for the model of purchase intent."""
    dbt.config(materialized="model")
    return fitted_model(dbt.ref("ml_intent__training_set"), dbt.config.meta_get("ml_config"))
