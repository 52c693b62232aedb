-- Rules may help little in a small shop, but they must not do harm: log loss by basket, on later baskets.
select
    model_version,
    metric_value,
    popularity_value
from {{ ref('ml_basket__metrics') }}
where is_champion and metric = 'log_loss' and gain_over_popularity < -0.05
