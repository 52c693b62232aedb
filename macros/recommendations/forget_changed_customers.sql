{# Removes what is to be scored again, and customers who are gone. #}
{% macro forget_changed_customers(fit) -%}
    {%- if is_incremental() %}
    delete from {{ this }}
    where scoring_key not in (
        with
        {{ scoring_keys(fit) }}
        select scoring_key from scoring_keys
    )
    {%- endif -%}
{%- endmacro %}
