"""Learn vectors of customers and products from what was bought before the first cut-off."""

from martlet.python_model import fitted_model


def model(dbt, session):
    """Fit the factorization that the pair classifier's features come from."""
    dbt.config(materialized="model")
    rows = dbt.ref("ml_propensity__factors_training_set")
    return fitted_model(rows, dbt.config.meta_get("ml_config"))
