{{ config(
    materialized='model',
    ml_config={
        'model_type': 'logistic_reg',
        'input_label_cols': ['will_buy_on_return_visit'],
        'entity_cols': ['visitor_id'],
        'as_of_col': 'as_of_date',
        'data_split_method': 'seq',
        'data_split_col': 'as_of_date',
        'data_split_eval_fraction': 0.25,
        'l2_reg': 1.0,
        'enable_global_explain': true
    }
) }}

select * from {{ ref('ml_return_visits__training_set') }}
