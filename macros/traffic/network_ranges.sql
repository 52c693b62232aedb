{# What to put after FROM to read networks (66.249.64.0/19) as ranges of numbers, comparable with the network_number
   of parsed_ip_addresses, whose rows it takes. Texts that are no network are left out. A length beyond /64 of
   IPv6 counts as /64. #}
{% macro network_ranges(parsed) -%}
(
    with

    measured as (
        select
            address_text,
            ip_version,
            network_number,
            case
                when ip_version = 4 then least(greatest(coalesce(given_length, 32), 0), 32) + 32
                else least(greatest(coalesce(given_length, 64), 0), 64)
            end as known_bits
        from {{ parsed }}
        where ip_version is not null
    ),

    sized as (
        select
            address_text,
            ip_version,
            network_number,
            cast(power(2, 64 - known_bits) as decimal(38, 0)) as network_size
        from measured
    )

    select
        address_text,
        ip_version,
        network_number - network_number % network_size as first_number,
        network_number - network_number % network_size + network_size - 1 as last_number
    from sized
) as ranges
{%- endmacro %}
