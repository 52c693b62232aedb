"""Mine itemsets and rules of products and of categories from all baskets."""

from martlet.python_model import fitted_model


def model(dbt, session):
    """Fit on all baskets: these rules describe, they do not predict."""
    dbt.config(materialized="model")
    return fitted_model(dbt.ref("ml_basket_rules__training_set"), dbt.config.meta_get("ml_config"))
