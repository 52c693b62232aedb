with

parsed as (
    select * from {{ ref('int_ip_addresses__parsed') }}
),

seen as (
    select * from parsed
    where is_seen
),

networks_of_lists as (
    select * from parsed
    where is_listed
),

crawler_list as (
    select * from {{ ref('crawler_networks') }}
),

exempt_list as (
    select * from {{ ref('looker_exempt_networks') }}
),

ranges as (
    select * from {{ network_ranges('networks_of_lists') }}
),

crawler_ranges as (
    select
        crawler_list.crawler_name,
        crawler_list.crawler_kind,
        ranges.ip_version,
        ranges.first_number,
        ranges.last_number
    from crawler_list
    inner join ranges
        on crawler_list.network = ranges.address_text
),

exempt_ranges as (
    select
        exempt_list.exempt_reason,
        ranges.ip_version,
        ranges.first_number,
        ranges.last_number
    from exempt_list
    inner join ranges
        on exempt_list.network = ranges.address_text
),

networks as (
    select distinct
        ip_version,
        network_number,
        network_key,
        network_prefix,
        {{ ip_address_kind() }} as address_kind
    from seen
    where network_key is not null
),

crawlers as (
    select
        networks.network_key,
        min(crawler_ranges.crawler_name) as crawler_name,
        min(crawler_ranges.crawler_kind) as crawler_kind
    from networks
    inner join crawler_ranges
        on networks.ip_version = crawler_ranges.ip_version
        and networks.network_number >= crawler_ranges.first_number
        and networks.network_number <= crawler_ranges.last_number
    group by networks.network_key
),

exempt as (
    select
        networks.network_key,
        min(exempt_ranges.exempt_reason) as exempt_reason
    from networks
    inner join exempt_ranges
        on networks.ip_version = exempt_ranges.ip_version
        and networks.network_number >= exempt_ranges.first_number
        and networks.network_number <= exempt_ranges.last_number
    group by networks.network_key
),

described as (
    select
        networks.network_key,
        {{ keyed_hash('networks.network_key') }} as address_id,
        -- A short number to sort and group by inside one build; it means nothing outside it.
        row_number() over (order by networks.network_key) as address_number,
        networks.ip_version,
        networks.network_prefix,
        networks.address_kind,
        crawlers.crawler_name,
        crawlers.crawler_kind,
        exempt.exempt_reason
    from networks
    left join crawlers on networks.network_key = crawlers.network_key
    left join exempt on networks.network_key = exempt.network_key
),

listed as (
    select
        seen.address_text as ip_address,
        described.address_id,
        described.address_number,
        described.network_key,
        described.network_prefix,
        described.ip_version,
        coalesce(described.address_kind, 'malformed') as address_kind,
        described.crawler_name,
        described.crawler_kind,
        described.exempt_reason
    from seen
    left join described on seen.network_key = described.network_key
)

select * from listed
