{% macro carries_campaign() -%}
    (traffic_source is not null or traffic_medium is not null or traffic_campaign is not null)
{%- endmacro %}
