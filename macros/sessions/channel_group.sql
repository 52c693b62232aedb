{# The channel a campaign belongs to, after the default channel groups of Google Analytics 4. #}
{% macro channel_group(source, medium, campaign) -%}
    case
        when {{ source }} is null and {{ medium }} is null and {{ campaign }} is null then 'direct'
        when lower({{ source }}) in ('direct', '(direct)')
            and (lower({{ medium }}) in ('(none)', '(not set)', 'none', 'direct') or {{ medium }} is null)
            then 'direct'
        when lower({{ campaign }}) like '%cross-network%' then 'cross_network'
        when lower({{ medium }}) in ('cpc', 'ppc', 'paid', 'paidsearch', 'paid_search', 'sem', 'retargeting',
            'paid_social', 'paidsocial', 'paid-social', 'shopping')
            then case
                when lower({{ campaign }}) like '%shop%' or lower({{ medium }}) = 'shopping' then 'paid_shopping'
                when lower({{ medium }}) like '%social%' or {{ _is_social(source) }}
                    then 'paid_social'
                when {{ _is_search_engine(source) }}
                    or lower({{ medium }}) in ('paidsearch', 'paid_search', 'sem')
                    then 'paid_search'
                else 'paid_other'
            end
        when lower({{ medium }}) in ('display', 'banner', 'expandable', 'interstitial', 'cpm') then 'display'
        when lower({{ medium }}) in ('email', 'e-mail', 'e_mail', 'newsletter')
            or lower({{ source }}) in ('email', 'e-mail', 'newsletter')
            then 'email'
        when lower({{ medium }}) in ('affiliate', 'affiliates') then 'affiliates'
        when lower({{ medium }}) in ('sms', 'push', 'mobile', 'notification') then 'messaging'
        when lower({{ medium }}) in ('social', 'social-network', 'social-media', 'sm', 'social_network')
            or {{ _is_social(source) }}
            then 'organic_social'
        when lower({{ medium }}) = 'organic' or {{ _is_search_engine(source) }}
            then 'organic_search'
        when lower({{ medium }}) in ('referral', 'app', 'link') then 'referral'
        else 'other'
    end
{%- endmacro %}

{% macro _is_social(source) -%}
    lower({{ source }}) in ('facebook', 'instagram', 'tiktok', 'pinterest', 'linkedin', 'twitter', 'x',
        'youtube', 'reddit', 'snapchat', 'whatsapp', 'threads', 'facebook.com', 'instagram.com', 'tiktok.com',
        'pinterest.com', 'linkedin.com', 't.co', 'youtube.com', 'reddit.com')
{%- endmacro %}

{% macro _is_search_engine(source) -%}
    lower({{ source }}) in ('google', 'bing', 'duckduckgo', 'ecosia', 'yahoo', 'yandex', 'baidu', 'qwant',
        'startpage', 'brave', 'google.com', 'google.de', 'bing.com', 'duckduckgo.com', 'ecosia.org')
{%- endmacro %}
