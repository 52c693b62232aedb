{# Every value stands in another table, unless that table is empty because its source was: then nothing can be
   missed in it, and fct_data_quality says so. #}
{% test known_if_any_delivered(model, column_name, to, field) %}

select children.{{ column_name }}
from {{ model }} as children
left join {{ to }} as parents on children.{{ column_name }} = parents.{{ field }}
where
    children.{{ column_name }} is not null
    and parents.{{ field }} is null
    and (select count(*) from {{ to }}) > 0

{% endtest %}
