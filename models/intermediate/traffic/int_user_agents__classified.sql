with

requests as (
    select user_agent from {{ ref('shop_page_requests') }}
),

events as (
    select user_agent from {{ ref('shop_events') }}
),

crawlers as (
    select * from {{ ref('crawler_user_agents') }}
),

networks as (
    select distinct crawler_name from {{ ref('crawler_networks') }}
),

seen as (
    select user_agent from requests
    union
    select user_agent from events
),

-- Ten kilobytes of user agent say no more than the first five hundred characters.
texts as (
    select
        user_agent,
        lower(left(coalesce(user_agent, ''), 500)) as user_agent_text
    from seen
),

matched as (
    select
        texts.user_agent_text,
        min(crawlers.crawler_name) as crawler_name,
        min(networks.crawler_name) as verifiable_crawler_name,
        -- Wanted programs whose networks nobody has listed: neither trusted nor acted on.
        min(case
            when
                networks.crawler_name is null
                and crawlers.crawler_kind in (
                    'search', 'preview', 'monitoring', 'advertising', 'feed'
                ) then crawlers.crawler_name
        end) as unverifiable_crawler_name
    from texts
    inner join crawlers on contains(texts.user_agent_text, crawlers.pattern)
    left join networks on crawlers.crawler_name = networks.crawler_name
    where
        nullif(crawlers.except_pattern, '') is null
        or not contains(texts.user_agent_text, crawlers.except_pattern)
    group by texts.user_agent_text
),

classified as (
    select
        texts.user_agent,
        dense_rank() over (order by texts.user_agent_text) as user_agent_number,
        coalesce(length(texts.user_agent) > 500, false) as is_cut,
        -- A real browser of any maker says Mozilla or Opera and more than a few words.
        trim(texts.user_agent_text) in ('', '-') as is_empty,
        matched.crawler_name,
        -- The crawler it claims to be whose networks are published, so that the claim can be
        -- checked.
        matched.verifiable_crawler_name,
        case when matched.verifiable_crawler_name is null
                then matched.unverifiable_crawler_name
        end as unverifiable_crawler_name,
        matched.crawler_name is not null
        or not (
            contains(texts.user_agent_text, 'mozilla')
            or contains(texts.user_agent_text, 'opera')
            -- What a shop's own app says.
            or contains(texts.user_agent_text, 'cfnetwork')
            or contains(texts.user_agent_text, 'okhttp')
            or contains(texts.user_agent_text, 'dalvik')
        ) as is_automation
    from texts
    left join matched on texts.user_agent_text = matched.user_agent_text
)

select * from classified
