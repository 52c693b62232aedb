{# A statement that removes the rows of a table whose value of a column is among those of a query. #}
{% macro delete_matching(relation, column, query) -%}
    {{ return(adapter.dispatch('delete_matching', 'martlet')(relation, column, query)) }}
{%- endmacro %}

{% macro default__delete_matching(relation, column, query) -%}
    delete from {{ relation }}
    where {{ column }} in ({{ query }})
{%- endmacro %}

{# Sail deletes nothing by a subquery, but it merges. #}
{% macro spark__delete_matching(relation, column, query) -%}
    merge into {{ relation }} as kept
    using (select distinct {{ column }} from ({{ query }}) as listed) as gone
        on kept.{{ column }} = gone.{{ column }}
    when matched then delete
{%- endmacro %}
