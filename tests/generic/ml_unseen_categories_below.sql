{# Few rows have a category that the rows compared with did not have. Goes on the new rows. #}
{% test ml_unseen_categories_below(model, column_name, compare_to, maximum_share=0) %}

with known as (

    select distinct {{ column_name }} as category
    from {{ compare_to }}
    where {{ column_name }} is not null

),

checked as (

    select case when rows_now.{{ column_name }} is not null and known.category is null then 1.0 else 0.0 end as is_unseen
    from {{ model }} as rows_now
    left join known on rows_now.{{ column_name }} = known.category

)

select avg(is_unseen) as unseen_share
from checked
having avg(is_unseen) > {{ maximum_share }}

{% endtest %}
