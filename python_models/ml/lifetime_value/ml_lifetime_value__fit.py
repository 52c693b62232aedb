"""Fit how often customers buy and when they leave, for every as-of date on its own rows."""


def model(dbt, session):
    """Fit the purchase process."""
    from martlet.python_model import fitted_model

    dbt.config(materialized="model")
    rows = dbt.ref("ml_lifetime_value__training_set").select(
        "customer_id, as_of_date, repeat_purchase_count, last_purchase_age_days, age_days"
    )
    return fitted_model(rows, dbt.config.meta_get("ml_config"))
