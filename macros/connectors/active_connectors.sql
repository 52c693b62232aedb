{# The connectors of this build in their order of precedence. A name nobody knows ends the run
   with a message that lists the known ones. #}
{% macro active_connectors() %}
    {% set setting = var('martlet_connector') %}
    {% set known = var('martlet_connector_entities') %}
    {% if setting is string %}
        {% set names = [setting] %}
    {% elif setting is sequence and setting is not mapping %}
        {% set names = setting | list %}
    {% else %}
        {% set names = [setting | string] %}
    {% endif %}
    {% set mend = "Set it to one of: " ~ known.keys() | sort | join(", ")
        ~ "; or to a list of them, the first that has an entity is read. A new connector is listed in "
        ~ "the var martlet_connector_entities of dbt_project.yml." %}
    {% if not names %}
        {{ exceptions.raise_compiler_error("The var martlet_connector names no connector. " ~ mend) }}
    {% endif %}
    {% for name in names %}
        {% if name not in known %}
            {{ exceptions.raise_compiler_error(
                "The var martlet_connector names the connector '" ~ name ~ "', which does not exist. " ~ mend
            ) }}
        {% endif %}
        {% if names.count(name) > 1 %}
            {{ exceptions.raise_compiler_error(
                "The var martlet_connector names the connector '" ~ name ~ "' twice. " ~ mend
            ) }}
        {% endif %}
    {% endfor %}
    {{ return(names) }}
{% endmacro %}
