"""Finds the hidden states behind customers' monthly purchases, as many as held-out months support."""

from martlet.python_model import fitted_model


def model(dbt, session):
    dbt.config(materialized="model")
    rows = dbt.ref("ml_customer_states__training_set")
    return fitted_model(rows, dbt.config.meta_get("ml_config"))
