{# The promise of a grain: no two rows share the key, and no part of the key is NULL, but for those
   parts that say "not split by this" when they are. #}
{% test grain_is_unique(model, columns, nullable=[]) %}

select
    {{ columns | join(', ') }},
    count(*) as row_count
from {{ model }}
group by {{ columns | join(', ') }}
having
    count(*) > 1
    {%- for column in columns if column not in nullable %}
    or {{ column }} is null
    {%- endfor %}

{% endtest %}
