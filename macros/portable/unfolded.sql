{# Put after SELECT over rows that are unique: this step is computed once. Sail writes the expressions of one step
   into the next one wherever they are used, so that ten steps that each use a column twice become a thousand copies. #}
{% macro unfolded() -%}
    {{ return(adapter.dispatch('unfolded', 'martlet')()) }}
{%- endmacro %}

{% macro default__unfolded() -%}{%- endmacro %}

{% macro spark__unfolded() -%}
    distinct
{%- endmacro %}
