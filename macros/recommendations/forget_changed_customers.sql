{# Removes what is to be scored again, and customers who are gone. #}
{% macro forget_changed_customers(fit) -%}
    {%- if is_incremental() %}
    {{- adapter.dispatch('forget_changed_customers', 'martlet')(fit) }}
    {%- endif -%}
{%- endmacro %}

{% macro default__forget_changed_customers(fit) %}
    delete from {{ this }}
    where scoring_key not in (
        with
        {{ scoring_keys(fit) }}
        select scoring_key from scoring_keys
    )
{%- endmacro %}

{# Sail deletes nothing by a subquery. #}
{% macro spark__forget_changed_customers(fit) %}
    {%- set gone -%}
        with
        {{ scoring_keys(fit) }}
        select stored.scoring_key
        from {{ this }} as stored
        left join scoring_keys on stored.scoring_key = scoring_keys.scoring_key
        where scoring_keys.scoring_key is null
    {%- endset %}
    {{ delete_matching(this, 'scoring_key', gone) }}
{%- endmacro %}
