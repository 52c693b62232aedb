{# The connector an entity is read from: the first active one that delivers it, none if nobody
   does. #}
{% macro connector_of_entity(entity) %}
    {% set entities = var('martlet_connector_entities') %}
    {% for connector in active_connectors() %}
        {% if entity in entities[connector] %}
            {{ return(connector) }}
        {% endif %}
    {% endfor %}
    {{ return(none) }}
{% endmacro %}
