select
    customer_id,
    as_of_date,
    horizon,
    log_purchase_day_count,
    log_days_since_last_order,
    log_age_days,
    log_mean_purchase_amount,
    order_count_90_days,
    order_count_365_days,
    log_expected_order_count,
    log_expected_order_amount,
    log_spend
from {{ ref('ml_lifetime_value__two_part_training_set') }}
where data_part = 'train' and has_ordered = 1
