{# Exports without batch numbers tell events of one moment apart only by what they say: md5 of the
   parameters and items, NULL for events with a batch number. #}
{% macro ga4_content_hash(layout) -%}
    case
        when {{ ga4_field(layout, 'batch_event_index', 'bigint') }} is null then md5(
            coalesce({{ value_as_json('event_params') }}, '')
            {%- if 'items' in layout.fields %}
            || coalesce({{ value_as_json('items') }}, '')
            {%- endif %}
        )
    end
{%- endmacro %}
