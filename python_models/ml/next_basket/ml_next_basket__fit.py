"""Fit the next basket: what a customer's next order holds, bought before or new."""

from martlet.python_model import fitted_model


def model(dbt, session):
    """Fit on the purchases; later orders choose, judge and calibrate it."""
    dbt.config(materialized="model")
    rows = dbt.ref("ml_recommendations__training_set")
    return fitted_model(rows, dbt.config.meta_get("ml_config"))
