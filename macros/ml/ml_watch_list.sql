{#
    The fitted models that are watched: a new one adds its entry here, and a test fails until it does.

    model            the fitted model
    title            what it is for, as a noun
    metric           the stored metric it is judged by
    is_lower_better  which way that metric points
    rows, rows_where the rows it is applied to now, or the newest it could have learned from
    latest_by        of those rows, only the ones with the highest value of this column,
    latest_days      or up to so many days before it
    ignored_inputs   seasons, what a product has one value of a date, and counters since the beginning and ages: those
                     grow with the shop's history, an alarm on them would never end
    scores           table of predictions; without it the model scores nothing by date
    score            the column whose distribution is watched
    score_date       the date predictions are compared by, where that is not as_of_date
    is_probability   whether it lies between 0 and 1
    is_category      whether that column is a name, not a number
#}
{% macro ml_watch_list() -%}
    {{ return([
        {
            'model': 'ml_attribution__fit', 'title': 'channel attribution', 'metric': 'log_loss', 'is_lower_better': true,
            'rows': 'ml_attribution__training_set', 'rows_where': 'is_evaluation',
            'scores': 'ml_attribution__predictions', 'score': 'markov_credit',
        },
        {
            'model': 'ml_basket__fit', 'title': 'basket completion', 'metric': 'log_loss', 'is_lower_better': true,
            'rows': 'int_baskets__open',
            'scores': 'ml_basket__predictions', 'score': 'added_probability', 'is_probability': true,
        },
        {
            'model': 'ml_basket_rules__fit', 'title': 'basket rules', 'metric': 'log_loss', 'is_lower_better': true,
            'rows': 'ml_basket_rules__training_set',
            'latest_by': 'basket_at', 'latest_days': 90,
        },
        {
            'model': 'ml_churn__fit', 'title': 'churn', 'metric': 'log_loss', 'is_lower_better': true,
            'rows': 'ftr_customers__churn',
            'rows_where': 'is_current and recency_days <= ' ~ var('martlet_churn_active_days', 365),
            'ignored_inputs': ['as_of_month', 'tenure_days'],
            'scores': 'ml_churn__predictions', 'score': 'churn_probability', 'is_probability': true,
        },
        {
            'model': 'ml_customer_states__fit', 'title': 'customer states', 'metric': 'log_likelihood_per_row',
            'is_lower_better': false,
            'rows': 'ml_customer_states__training_set',
            'latest_by': 'month_start',
            'scores': 'ml_customer_states__predictions', 'score': 'next_purchase_probability', 'is_probability': true,
        },
        {
            'model': 'ml_intent__fit', 'title': 'purchase intent', 'metric': 'buy_log_loss', 'is_lower_better': true,
            'rows': 'ftr_sessions__intent', 'latest_by': 'as_of_date', 'latest_days': 30,
            'ignored_inputs': ['days_since_purchase', 'days_since_session', 'earlier_session_count'],
            'scores': 'ml_intent__predictions', 'score': 'buy_probability', 'is_probability': true,
            'score_date': "cast(date_trunc('month', as_of_date) as date)",
        },
        {
            'model': 'ml_lifetime_value__fit', 'title': 'lifetime value', 'metric': 'mean_log_likelihood',
            'is_lower_better': false,
            'rows': 'ml_lifetime_value__training_set', 'rows_where': 'is_current',
            'ignored_inputs': ['age_days', 'last_purchase_age_days'],
            'scores': 'ml_lifetime_value__predictions', 'score': 'expected_order_count_90_days',
        },
        {
            'model': 'ml_lifetime_value__spend_fit', 'title': 'spend per order', 'metric': 'mean_log_likelihood',
            'is_lower_better': false,
            'rows': 'ml_lifetime_value__training_set', 'rows_where': 'is_current',
            'scores': 'ml_lifetime_value__predictions', 'score': 'expected_order_amount',
        },
        {
            'model': 'ml_lookers__fit', 'title': 'lookers', 'metric': 'known_roc_auc', 'is_lower_better': false,
            'rows': 'ml_lookers__training_set', 'rows_where': 'is_current',
            'scores': 'ml_lookers__predictions', 'score': 'automation_probability', 'is_probability': true,
        },
        {
            'model': 'ml_order_risk__fit', 'title': 'order risk', 'metric': 'log_loss', 'is_lower_better': true,
            'rows': 'ftr_orders__risk', 'latest_by': 'as_of_date', 'latest_days': 90,
            'ignored_inputs': [
                'minutes_since_sign_up',
                'device_order_count', 'device_person_count', 'address_order_count', 'address_person_count',
                'card_order_count', 'card_person_count', 'email_order_count', 'email_person_count',
                'customer_order_count', 'customer_hours_since_order',
            ],
            'scores': 'ml_order_risk__predictions', 'score': 'fraud_probability', 'is_probability': true,
            'score_date': "cast(date_trunc('month', as_of_date) as date)",
        },
        {
            'model': 'ml_next_basket__fit', 'title': 'next basket', 'metric': 'ndcg_at_10', 'is_lower_better': false,
            'rows': 'ml_recommendations__training_set', 'latest_by': 'basket_at', 'latest_days': 90,
            'scores': 'ml_next_basket__predictions', 'score': 'score',
        },
        {
            'model': 'ml_propensity__factors_fit', 'title': 'tastes of customers', 'metric': 'average_rank',
            'is_lower_better': true,
            'rows': 'ml_propensity__factors_training_set',
        },
        {
            'model': 'ml_propensity__fit', 'title': 'pairs of customer and product', 'metric': 'log_loss',
            'is_lower_better': true,
            'rows': 'ftr_customer_products__propensity', 'rows_where': "cutoff_role = 'current'",
            'ignored_inputs': [
                'days_on_sale', 'tenure_days', 'usual_gap_days', 'interval_days', 'repeat_customer_share',
                'buyer_share_90_days', 'recent_buyer_share', 'unit_amount',
            ],
            'scores': 'ml_propensity__predictions', 'score': 'purchase_probability', 'is_probability': true,
        },
        {
            'model': 'ml_recommendations__fit', 'title': 'recommendations', 'metric': 'ndcg_at_10', 'is_lower_better': false,
            'rows': 'ml_recommendations__training_set', 'latest_by': 'basket_at', 'latest_days': 90,
            'scores': 'ml_recommendations__predictions', 'score': 'score',
        },
        {
            'model': 'ml_retention__fit', 'title': 'retention offers', 'metric': 'log_loss', 'is_lower_better': true,
            'rows': 'ftr_customers__churn',
            'rows_where': 'is_current and recency_days <= ' ~ var('martlet_churn_active_days', 365),
            'ignored_inputs': ['tenure_days'],
            'scores': 'ml_retention__predictions', 'score': 'uplift',
        },
        {
            'model': 'ml_return_visits__fit', 'title': 'return visits', 'metric': 'log_loss', 'is_lower_better': true,
            'rows': 'ftr_visitors__first_day', 'latest_by': 'as_of_date', 'latest_days': 30,
            'ignored_inputs': ['last_session_ended_at'],
            'scores': 'ml_return_visits__predictions', 'score': 'return_purchase_probability', 'is_probability': true,
            'score_date': "cast(date_trunc('month', as_of_date) as date)",
        },
        {
            'model': 'ml_segments__fit', 'title': 'customer segments', 'metric': 'simplified_silhouette',
            'is_lower_better': false,
            'rows': 'ftr_customers__segmentation', 'rows_where': 'is_current',
            'scores': 'ml_segments__predictions', 'score': 'segment_name', 'is_category': true,
        },
    ]) }}
{%- endmacro %}
