"""Fits how rarely an address buys and what betrays a machine, for each as-of date on what was known then."""

from martlet.python_model import fitted_model


def model(dbt, session):
    dbt.config(materialized="model")
    rows = dbt.ref("ml_lookers__training_set")
    # The table says more than the model may learn from.
    rows = rows.select(
        "address_id, as_of_date, trial_count, order_in_window_count, known_as, sign_count, "
        "is_ordinary_address, columns('.*_sign$')"
    )
    return fitted_model(rows, dbt.config.meta_get("ml_config"))
