{# How a figure of predictions that came due compares, in words; what is not known is left out. #}
{% macro performance_words(value, reference, baseline) -%}
    concat(
        {{ short_number(value) }}, ' over ', cast(row_count as {{ type_string() }}), ' predictions of ',
        cast(as_of_date as {{ type_string() }}), ' that came due',
        case when is_learned_from then ' (the model learned from that time)' else '' end,
        case when {{ reference }} is null then '' else concat(', ', {{ short_number(reference) }}, ' before') end,
        ', ', {{ short_number(baseline) }}, ' without a model'
    )
{%- endmacro %}
