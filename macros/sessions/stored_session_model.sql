{# What a session model stored in the builds before. Not a ref: the models that ask what has to be counted or
   cut again stand before it in the flow. #}
{% macro stored_session_model(name) -%}
    {{ return(_stored_model(name, 'intermediate')) }}
{%- endmacro %}

{% macro _stored_model(name, schema) -%}
    {{ return(api.Relation.create(
        database=target.get('database'), schema=generate_schema_name(schema, none) | trim, identifier=name
    )) }}
{%- endmacro %}
