{# Where a connector's raw data lies: one path for one connector, a mapping for several. #}
{% macro raw_path(connector) %}
    {% set setting = var('martlet_raw_path') %}
    {% set connectors = var('martlet_connector') %}
    {% if setting is mapping %}
        {% set path = setting.get(connector) or '' %}
    {% else %}
        {% set path = setting or '' %}
        {% if execute and path and connectors is not string and connectors | length > 1 %}
            {{ exceptions.raise_compiler_error(
                "martlet_raw_path is one path, but martlet_connector names " ~ connectors | length
                ~ " connectors. Give each its own: martlet_raw_path: {"
                ~ connectors | join(": <path>, ") ~ ": <path>}"
            ) }}
        {% endif %}
    {% endif %}
    {% set path = path | string | trim %}
    {{ return(path[:-1] if path | length > 1 and path.endswith('/') else path) }}
{% endmacro %}
