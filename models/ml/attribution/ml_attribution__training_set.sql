with

touches as (
    select * from {{ ref('int_marketing_paths__assembled') }}
),

paths as (
    select
        path_id,
        ntile(5) over (order by max(path_ended_at), path_id) as fifth
    from touches
    group by path_id
),

-- The last fifth of the paths, by their end, judges what the others taught.
training_set as (
    select
        touches.path_id,
        touches.touch_number,
        touches.as_of_date,
        touches.channel_group,
        touches.is_converted,
        paths.fifth = 5 as is_evaluation
    from touches
    inner join paths on touches.path_id = paths.path_id
)

select * from training_set
