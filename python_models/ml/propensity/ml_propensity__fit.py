"""Fit the pair classifier: does this customer buy this product in the days that follow?"""

from martlet.python_model import fitted_model


def model(dbt, session):
    """Fit on the earlier cut-offs; the last one with a complete window judges."""
    dbt.config(materialized="model")
    rows = dbt.ref("ml_propensity__training_set")
    return fitted_model(rows, dbt.config.meta_get("ml_config"))
