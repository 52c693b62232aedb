"""Fit the recommender: which products a customer buys next, from all that was bought so far."""

from martlet.python_model import fitted_model


def model(dbt, session):
    """Fit on the purchases; the later ones choose and judge it."""
    dbt.config(materialized="model")
    rows = dbt.ref("ml_recommendations__training_set")
    return fitted_model(rows, dbt.config.meta_get("ml_config"))
