{%- set words = {
    'purchase_day_count': ['bought often', 'seldom or never bought'],
    'is_bought_before': ['bought before', 'never bought before'],
    'order_day_share': ['in most of the orders', 'in few of the orders'],
    'days_since_purchase': ['time since the last purchase fits', 'time since the last purchase speaks against it'],
    'later_order_day_count': ['in the latest orders', 'not in the latest orders'],
    'interval_days': ['bought at short intervals', 'bought at long intervals'],
    'interval_ratio': ['due by its usual interval', 'not due by its usual interval'],
    'transition_score': ['often follows what was bought', 'seldom follows what was bought'],
    'factor_score': ['fits the taste of similar customers', 'does not fit the taste of similar customers'],
    'category_share': ['favourite category', 'not a favourite category'],
    'days_since_category_purchase': ['category bought lately', 'category not bought lately'],
    'view_count_30_days': ['looked at', 'not looked at'],
    'cart_add_count_30_days': ['put into the cart', 'not put into the cart'],
    'wishlist_add_count_30_days': ['on the wish list', 'not on the wish list'],
    'customer_view_count_30_days': ['active on the site', 'not active on the site'],
    'days_since_browsed': ['looked at lately', 'not looked at lately'],
    'unit_amount': ['price level', 'price level'],
    'unit_amount_ratio': ['usual price of the customer', 'not the usual price of the customer'],
    'buyer_share_90_days': ['popular', 'not popular'],
    'recent_buyer_share': ['sells better lately', 'sells worse lately'],
    'repeat_customer_share': ['bought again by many', 'bought again by few'],
    'usual_gap_days': ['bought again soon', 'bought again after a long time'],
    'days_on_sale': ['time on sale', 'time on sale'],
    'tenure_days': ['length of the relation', 'length of the relation'],
    'order_day_count': ['customer orders often', 'customer has few orders'],
    'customer_recency_days': ['customer ordered lately', 'customer has not ordered lately'],
    'customer_gap_days': ['customer orders at short intervals', 'customer orders at long intervals'],
    'customer_recency_gap_ratio': ['customer is due to order', 'customer is not due to order'],
    'product_count': ['buys many products', 'buys few products'],
    'repeat_product_share': ['buys things again', 'seldom buys things again'],
    'mean_line_count': ['fills large orders', 'has small orders'],
    'cold_start_level': ['what is known of the customer', 'little is known of the customer'],
} -%}
with

predictions as (
    select * from {{ ref('ml_propensity__predictions') }}
    where is_current
),

products as (
    select * from {{ ref('int_products__listed') }}
),

-- As fct_customer_product_propensity ranks them: what is no longer sold needs no reason.
ranked as (
    select
        predictions.customer_id,
        predictions.product_id,
        row_number() over (
            partition by predictions.customer_id
            order by predictions.purchase_probability desc, predictions.product_id
        ) as place
    from predictions
    left join products on predictions.product_id = products.product_id
    where {{ can_be_sold('products') }}
),

pairs as (
    select * from {{ ref('ftr_customer_products__propensity') }}
    where cutoff_role = 'current'
),

-- The first three of each customer; nobody asks why the others would not be bought.
shown as (
    select pairs.*
    from pairs
    inner join ranked
        on pairs.customer_id = ranked.customer_id
        and pairs.product_id = ranked.product_id
    where ranked.place <= 3
),

explained as (
    select
        customer_id,
        product_id,
        as_of_date,
        top_feature_attributions
    from {{ ml_explain_predict(ref('ml_propensity__fit'), 'shown', top_k_features=3) }}
),

attributions as (
    {% for place in [1, 2, 3] %}
        select
            customer_id,
            product_id,
            as_of_date,
            {{ place }} as reason_rank,
            {{ list_element('top_feature_attributions', place) }}.feature as feature,
            {{ list_element('top_feature_attributions', place) }}.attribution as attribution
        from explained
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

worded as (
    select
        customer_id,
        product_id,
        as_of_date,
        reason_rank,
        case
            {% for feature, (raising, lowering) in words.items() %}
                when feature = '{{ feature }}' and attribution > 0 then '{{ raising }}'
                when feature = '{{ feature }}' and attribution < 0 then '{{ lowering }}'
            {% endfor %}
        end as reason
    from attributions
),

reasons as (
    select
        customer_id,
        product_id,
        min(as_of_date) as as_of_date,
        max(case when reason_rank = 1 then reason end) as reason_1,
        max(case when reason_rank = 2 then reason end) as reason_2,
        max(case when reason_rank = 3 then reason end) as reason_3
    from worded
    group by customer_id, product_id
)

select * from reasons
