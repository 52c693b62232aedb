{# What to put after FROM to read the distinct addresses of a relation, taken apart: one row per text.

   IPv4 is kept whole, IPv6 as its /64, for a home or a server owns that much and changes the rest daily. What is
   read: dotted IPv4 with or without a port, IPv6 in any spelling, in brackets, with a zone, IPv4 inside IPv6
   (::ffff:192.0.2.1 is 192.0.2.1). A length (/19) may follow where the relation lists networks. #}
{% macro parsed_ip_addresses(relation, column) -%}
    {%- set octet = '(0|[1-9][0-9]?[0-9]?)' -%}
    {%- set dotted = octet ~ '([.]' ~ octet ~ '){3}' -%}
(
    with

    distinct_texts as (
        select distinct {{ column }} as address_text from {{ relation }} where {{ column }} is not null
    ),

    trimmed as (
        select
            address_text,
            split_part(lower(trim(left(address_text, 100))), '/', 1) as base_text,
            try_cast(nullif(split_part(trim(left(address_text, 100)), '/', 2), '') as integer) as given_length
        from distinct_texts
    ),

    unwrapped as (
        select {{ unfolded() }}
            address_text,
            given_length,
            case
                when {{ text_matches('base_text', '^' ~ dotted ~ '(:[0-9]+)?$') }}
                    then split_part(base_text, ':', 1)
                when left(base_text, 1) = '['
                    and {{ text_matches("split_part(base_text, ']', 2)", '^(:[0-9]+)?$') }}
                    then split_part(split_part(substr(base_text, 2), ']', 1), '%', 1)
                else split_part(base_text, '%', 1)
            end as plain_text
        from trimmed
    ),

    -- IPv4 written at the end of IPv6 is put aside and two groups take its place.
    separated as (
        select {{ unfolded() }}
            address_text,
            given_length,
            plain_text,
            case when {{ text_matches('plain_text', '(^|:)' ~ dotted ~ '$') }}
                then {{ text_replace_all('plain_text', '^.*:', '') }}
            end as dotted_text,
            case
                when {{ text_matches('plain_text', ':' ~ dotted ~ '$') }}
                    then {{ text_replace_all('plain_text', '[0-9.]+$', '') }} || '0:0'
                when contains(plain_text, ':') then plain_text
            end as colon_text
        from unwrapped
    ),

    halved as (
        select {{ unfolded() }}
            address_text,
            given_length,
            dotted_text,
            colon_text,
            nullif(split_part(colon_text, '::', 1), '') as head,
            nullif(split_part(colon_text, '::', 2), '') as tail,
            length(colon_text) - length(replace(colon_text, '::', '')) = 2 as is_shortened
        from separated
    ),

    counted as (
        select {{ unfolded() }}
            *,
            8 - coalesce(length(head) - length(replace(head, ':', '')) + 1, 0)
            - coalesce(length(tail) - length(replace(tail, ':', '')) + 1, 0) as missing_count
        from halved
    ),

    expanded as (
        select {{ unfolded() }}
            address_text,
            given_length,
            dotted_text,
            colon_text,
            case
                when is_shortened and missing_count > 0 then concat_ws(
                    ':',
                    head,
                    {{ text_replace_all("repeat('0:', missing_count)", ':$', '') }},
                    tail
                )
                when not contains(colon_text, '::') then colon_text
            end as full_text
        from counted
    ),

    judged as (
        select {{ unfolded() }}
            address_text,
            given_length,
            dotted_text,
            colon_text is not null as has_colon,
            case when
                {{ text_matches('full_text', '^([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}$') }}
                then full_text
            end as full_text
        from expanded
    ),

    numbered as (
        select {{ unfolded() }}
            address_text,
            given_length,
            has_colon,
            dotted_text,
            full_text,
            {%- for place in range(1, 9) %}
            {{ hex_number("nullif(split_part(full_text, ':', " ~ place ~ "), '')") }} as group_{{ place }},
            {%- endfor %}
            {%- for place in range(1, 5) %}
            try_cast(split_part(dotted_text, '.', {{ place }}) as bigint) as octet_{{ place }}{{ ',' if not loop.last }}
            {%- endfor %}
        from judged
    ),

    told_apart as (
        select {{ unfolded() }}
            *,
            full_text is not null
            and group_1 = 0 and group_2 = 0 and group_3 = 0 and group_4 = 0 and group_5 = 0
            and group_6 = 65535 as is_mapped
        from numbered
    ),

    valued as (
        select {{ unfolded() }}
            address_text,
            given_length,
            group_1, group_2, group_3, group_4,
            case
                when not has_colon or (is_mapped and dotted_text is not null)
                    then case when octet_1 <= 255 and octet_2 <= 255 and octet_3 <= 255 and octet_4 <= 255
                        then ((octet_1 * 256 + octet_2) * 256 + octet_3) * 256 + octet_4
                    end
                when is_mapped then group_7 * 65536 + group_8
            end as number_v4,
            full_text is not null and not is_mapped as is_v6
        from told_apart
    ),

    written as (
        select {{ unfolded() }}
            address_text,
            given_length,
            case when number_v4 is not null then 4 when is_v6 then 6 end as ip_version,
            case
                when number_v4 is not null then cast(number_v4 as decimal(38, 0))
                when is_v6 then
                    cast(group_1 * 65536 + group_2 as decimal(38, 0)) * 4294967296
                    + (group_3 * 65536 + group_4)
            end as network_number,
            case
                when number_v4 is not null then concat_ws(
                    '.',
                    {%- for power in (16777216, 65536, 256, 1) %}
                    cast(cast(floor(number_v4 / {{ power }}) as bigint) % 256 as {{ type_string() }}){{ ',' if not loop.last }}
                    {%- endfor %}
                )
            end as text_v4,
            {%- for place in range(1, 5) %}
            {{ _hex_group('group_' ~ place) }} as hex_{{ place }}{{ ',' if not loop.last }}
            {%- endfor %}
        from valued
    )

    select
        address_text,
        given_length,
        cast(ip_version as integer) as ip_version,
        network_number,
        case
            when ip_version = 4 then text_v4
            when ip_version = 6
                then {{ _canonical_prefix("concat_ws(':', hex_1, hex_2, hex_3, hex_4)", '/64') }}
        end as network_key,
        case
            when ip_version = 4 then {{ text_replace_all('text_v4', '[0-9]+$', '0/24') }}
            when ip_version = 6
                then {{ _canonical_prefix("concat_ws(':', hex_1, hex_2, hex_3)", '/48') }}
        end as network_prefix
    from written
) as parsed_addresses
{%- endmacro %}

{# A group of IPv6 as hexadecimal digits without leading zeros. #}
{% macro _hex_group(number) -%}
    {{ return(adapter.dispatch('_hex_group', 'martlet')(number)) }}
{%- endmacro %}

{% macro default___hex_group(number) -%}
    lower(to_hex({{ number }}))
{%- endmacro %}

{% macro spark___hex_group(number) -%}
    lower(hex({{ number }}))
{%- endmacro %}

{# The shortest spelling (RFC 5952) of a network whose other groups are 0: trailing zeros go. #}
{% macro _canonical_prefix(groups, length) -%}
    {{ text_replace_all(text_replace_all(groups ~ " || '::" ~ length ~ "'", '(:0)+::', '::'), '^0::', '::') }}
{%- endmacro %}
