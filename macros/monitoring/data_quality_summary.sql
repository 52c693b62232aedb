{#
    Runs after every build and names the checks of the data that are in error, the largest share first: bad data makes
    no build fail, so the log has to say it. Silent unless fct_data_quality was built in this run.
#}
{% macro data_quality_summary(results) %}
    {%- if execute and flags.WHICH in ('build', 'run') -%}
        {%- for result in results if result.node.name == 'fct_data_quality' and result.node.package_name == 'martlet'
            and result.node.resource_type == 'model' and result.status | string == 'success' -%}
            {%- do martlet._log_data_errors(result.node.relation_name) -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}

{# All rejected rows of an entity are the sum of the reasons, which are named. #}
{% macro _log_data_errors(relation) %}
    {%- set rows = run_query(
        "select entity, coalesce(rejection_reason, check_name) as what, affected_count, checked_count, affected_share, meaning from "
        ~ relation ~ " where severity = 'error' and check_name <> 'rejected_rows' order by affected_share desc, entity, what"
    ).rows -%}
    {%- for row in rows[:3] -%}
        {%- do log(
            'Data: ' ~ row[0] ~ ', ' ~ row[1] ~ ': ' ~ row[2] ~ ' of ' ~ row[3] ~ ' rows ('
            ~ '%.1f' | format(100 * row[4] | float) ~ ' %). ' ~ row[5].split('. ')[0].rstrip('.') ~ '.', info=True
        ) -%}
    {%- endfor -%}
    {%- if rows -%}
        {%- do log(
            'Data: ' ~ ((rows | length - 3) ~ ' more in error; ' if rows | length > 3 else '')
            ~ 'all of it stands in marts.fct_data_quality, rejected rows in shop.shop_quarantine.', info=True
        ) -%}
    {%- endif -%}
{% endmacro %}
