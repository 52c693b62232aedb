{{ config(materialized='view') }}

with sessions as (
    select * from {{ ref('int_sessions__cut') }}
),

{{ described_sessions() }}

select * from described_sessions
