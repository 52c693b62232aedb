"""Fit the basket classifier: which product completes a basket, learned on the earlier baskets."""

from martlet.python_model import fitted_model


def model(dbt, session):
    """Fit on the baskets; the last ones judge it."""
    dbt.config(materialized="model")
    return fitted_model(dbt.ref("ml_basket__training_set"), dbt.config.meta_get("ml_config"))
