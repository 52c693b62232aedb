{# Contracts fix names and types. Constraints are left to the data tests: Sail cannot add them to a table. #}
{% macro spark__persist_constraints(relation, model) -%}{%- endmacro %}
