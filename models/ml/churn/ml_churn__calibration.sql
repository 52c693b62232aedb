with

test_rows as (
    select * from {{ ref('ml_churn__training_set') }}
    where is_test
),

predicted as (
    select
        is_churned,
        as_of_date,
        {{ list_element('predicted_is_churned_probs', 1) }}.prob as churn_probability
    from {{ ml_predict(ref('ml_churn__fit'), 'test_rows') }}
),

-- Ten equally wide bins; a probability of exactly 1 belongs to the last.
binned as (
    select
        as_of_date,
        cast(least(floor(churn_probability * 10), 9) as integer) as bin,
        churn_probability,
        case when is_churned then 1.0e0 else 0.0e0 end as churned
    from predicted
),

counted as (
    select
        as_of_date,
        bin,
        count(*) as customer_count,
        avg(churn_probability) as mean_predicted_probability,
        avg(churned) as observed_churn_rate
    from binned
    group by as_of_date, bin
),

-- Wilson's interval at 95 %: it holds for small bins and for rates near 0 and 1.
calibration as (
    select
        as_of_date,
        bin,
        bin / 10.0e0 as bin_from,
        (bin + 1) / 10.0e0 as bin_until,
        customer_count,
        mean_predicted_probability,
        observed_churn_rate,
        (
            observed_churn_rate + 1.9207e0 / customer_count
            - 1.96e0 * sqrt(
                observed_churn_rate * (1 - observed_churn_rate) / customer_count
                + 0.9604e0 / (cast(customer_count as double) * customer_count)
            )
        ) / (1 + 3.8416e0 / customer_count) as observed_churn_rate_lower,
        (
            observed_churn_rate + 1.9207e0 / customer_count
            + 1.96e0 * sqrt(
                observed_churn_rate * (1 - observed_churn_rate) / customer_count
                + 0.9604e0 / (cast(customer_count as double) * customer_count)
            )
        ) / (1 + 3.8416e0 / customer_count) as observed_churn_rate_upper
    from counted
)

select * from calibration
