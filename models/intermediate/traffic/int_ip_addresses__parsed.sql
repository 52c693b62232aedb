-- noqa: disable=RF01,ST03
with

requests as (
    select ip_address from {{ ref('shop_page_requests') }}
),

events as (
    select ip_address from {{ ref('shop_events') }}
),

orders as (
    select ip_address from {{ ref('shop_orders') }}
),

crawler_list as (
    select * from {{ ref('crawler_networks') }}
),

exempt_list as (
    select * from {{ ref('looker_exempt_networks') }}
),

all_texts as (
    select
        ip_address as address_text,
        true as is_seen
    from requests
    union
    select
        ip_address as address_text,
        true as is_seen
    from events
    union
    select
        ip_address as address_text,
        true as is_seen
    from orders
    union
    select
        network as address_text,
        false as is_seen
    from crawler_list
    union
    select
        network as address_text,
        false as is_seen
    from exempt_list
),

texts as (
    select
        address_text,
        bool_or(is_seen) as is_seen,
        bool_or(not is_seen) as is_listed
    from all_texts
    where address_text is not null
    group by address_text
),

parsed as (
    select * from {{ parsed_ip_addresses('texts', 'address_text') }}
)

select
    parsed.address_text,
    parsed.given_length,
    parsed.ip_version,
    parsed.network_number,
    parsed.network_key,
    parsed.network_prefix,
    texts.is_seen,
    texts.is_listed
from parsed
inner join texts on parsed.address_text = texts.address_text
