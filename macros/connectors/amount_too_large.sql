{# Whether any amount is ten billion or more, which is a mistake: no shop takes so much at once, and
   sums would not fit any more. A missing amount or rate is not too large. #}
{% macro amount_too_large(amounts, exchange_rate='1') -%}
    (
        {%- for amount in amounts %}
        {{ 'or ' if not loop.first }}coalesce(
            abs(cast({{ amount }} as double) * cast({{ exchange_rate }} as double)) >= 1e10, false
        )
        {%- endfor %}
    )
{%- endmacro %}
