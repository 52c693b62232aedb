{# The staging model an entity is read from, none when no active connector delivers it. #}
{% macro staged_entity(entity) %}
    {% set connector = connector_of_entity(entity) %}
    {{ return(ref('stg_' ~ connector ~ '__' ~ entity) if connector else none) }}
{% endmacro %}
