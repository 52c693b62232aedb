{# Nothing that a row knows was known only after its anchor. Goes on a table of features. #}
{% test ml_no_feature_after_anchor(model, columns, anchor='as_of_date') %}

select
    {{ anchor }},
    {{ columns | join(',\n    ') }}
from {{ model }}
where
    {%- for column in columns %}
    {% if not loop.first %}or {% endif %}{{ column }} > {{ anchor }}
    {%- endfor %}

{% endtest %}
