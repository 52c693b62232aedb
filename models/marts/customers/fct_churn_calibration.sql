with

calibration as (
    select * from {{ ref('ml_churn__calibration') }}
)

select
    bin,
    as_of_date,
    bin_from,
    bin_until,
    customer_count,
    mean_predicted_probability,
    observed_churn_rate,
    observed_churn_rate_lower,
    observed_churn_rate_upper
from calibration
