{# The value of an event parameter. Google stores a value by what it looked like when it was sent,
   so an order number may come as a text or as a number: the type asked for is built from whichever
   of the value's fields is filled. #}
{% macro ga4_param(layout, key, type='string') -%}
    {%- set value = first_struct_where('event_params', 'key', key) ~ '.value' -%}
    {%- set parts = [] -%}
    {%- for field in _ga4_value_fields(type) if 'event_params.value.' ~ field in layout.fields -%}
        {%- do parts.append('try_cast(' ~ value ~ '.' ~ field ~ ' as ' ~ type ~ ')') -%}
    {%- endfor -%}
    {%- if not parts -%}
        cast(null as {{ type }})
    {%- elif type == 'string' -%}
        {{ _ga4_text('coalesce(' ~ parts | join(', ') ~ ')') }}
    {%- else -%}
        coalesce({{ parts | join(', ') }})
    {%- endif -%}
{%- endmacro %}

{% macro _ga4_value_fields(type) %}
    {{ return(
        ['double_value', 'float_value', 'int_value', 'string_value'] if type == 'double'
        else ['int_value', 'string_value', 'double_value', 'float_value'] if type == 'bigint'
        else ['string_value', 'int_value', 'double_value', 'float_value']
    ) }}
{% endmacro %}
