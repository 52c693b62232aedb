{# After the first part, which the table was made of, adds the others by the same query. #}
{% macro score_further_parts() -%}
    {%- if execute -%}
        {%- set parts = scoring_part_count() -%}
        {%- for part in range(1, parts) -%}
            {%- do run_query(
                'insert into ' ~ this ~ ' by name '
                ~ compiled_code | replace(martlet._remainder(parts, 0), martlet._remainder(parts, part))
            ) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
