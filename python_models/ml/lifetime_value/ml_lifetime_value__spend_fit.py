"""Fit what an order of each customer is worth, for every as-of date on its own rows."""


def model(dbt, session):
    """Fit the gamma-gamma model of spend."""
    from martlet.python_model import fitted_model

    dbt.config(materialized="model")
    rows = dbt.ref("ml_lifetime_value__training_set").select(
        "customer_id, as_of_date, purchase_day_count, mean_purchase_amount"
    )
    return fitted_model(rows, dbt.config.meta_get("ml_config"))
