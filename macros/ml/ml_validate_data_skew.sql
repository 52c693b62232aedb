{#
    How far each feature in `input` is from what it was in the model's training rows, whose statistics are
    kept with the model. Arguments and columns as `ml_validate_data_drift`.
#}
{% macro ml_validate_data_skew(
    model, input,
    num_histogram_buckets=none, num_quantiles_histogram_buckets=none, num_values_histogram_buckets=none, num_rank_histogram_buckets=none,
    categorical_default_threshold=none, categorical_metric_type='L_INFTY',
    numerical_default_threshold=none, numerical_metric_type='JENSEN_SHANNON_DIVERGENCE', thresholds={}, version=none
) -%}
    {{- martlet._check_drift_settings(categorical_metric_type, numerical_metric_type) -}}
    {{- martlet.ml_stored_function(model, 'validate_data_skew', input, {
        'num_histogram_buckets': num_histogram_buckets,
        'num_rank_histogram_buckets': num_rank_histogram_buckets,
        'categorical_default_threshold': categorical_default_threshold,
        'categorical_metric_type': "'" ~ categorical_metric_type | upper ~ "'",
        'numerical_default_threshold': numerical_default_threshold,
        'thresholds': martlet._given_thresholds(thresholds) if thresholds else none,
    }, version) -}}
{%- endmacro %}
