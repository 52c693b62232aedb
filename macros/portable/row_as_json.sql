{% macro row_as_json(columns) -%}
    {{ return(adapter.dispatch('row_as_json', 'martlet')(columns)) }}
{%- endmacro %}

{% macro default__row_as_json(columns) -%}
    cast(json_object(
        {%- for column in columns %}'{{ column }}', {{ column }}{{ ', ' if not loop.last }}{% endfor -%}
    ) as string)
{%- endmacro %}

{% macro spark__row_as_json(columns) -%}
    to_json(
        named_struct(
            {%- for column in columns %}'{{ column }}', {{ column }}{{ ', ' if not loop.last }}{% endfor -%}
        ),
        map('ignoreNullFields', 'false')
    )
{%- endmacro %}
