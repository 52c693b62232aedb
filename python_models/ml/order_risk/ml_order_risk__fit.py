"""Learns which orders end in a charge-back: a logistic regression on what was known at the order."""

from martlet.python_model import fitted_model


def model(dbt, session):
    """Ask for the model of order risk."""
    dbt.config(materialized="model")
    return fitted_model(
        dbt.ref("ml_order_risk__training_set"), dbt.config.meta_get("ml_config")
    )
