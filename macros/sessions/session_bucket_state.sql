{# The stored int_session_buckets of the builds before. Not a ref: the models that ask what has to be
   counted again stand before it in the flow. #}
{% macro session_bucket_state() -%}
    {{ return(_state_relation('int_session_buckets', 'intermediate')) }}
{%- endmacro %}

{% macro _state_relation(name, schema) -%}
    {{ return(api.Relation.create(
        database=target.database, schema=generate_schema_name(schema, none) | trim, identifier=name
    )) }}
{%- endmacro %}
