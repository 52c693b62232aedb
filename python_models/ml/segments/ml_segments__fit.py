"""Finds customer segments: compares transforms and numbers of clusters, keeps the best that repeats."""

from martlet.python_model import fitted_model


def model(dbt, session):
    dbt.config(materialized="model")
    return fitted_model(dbt.ref("ml_segments__training_set"), dbt.config.meta_get("ml_config"))
