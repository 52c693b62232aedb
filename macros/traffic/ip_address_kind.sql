{# What a parsed address can be: a private one tells of a misread proxy, a carrier's is shared by many people.
   Takes the columns ip_version and network_number of parsed_ip_addresses. #}
{% macro ip_address_kind() -%}
    case
        when ip_version is null then 'malformed'
        when ip_version = 4 then case
            when network_number between 1681915904 and 1686110207 then 'carrier'
            when
                network_number between 167772160 and 184549375
                or network_number between 2886729728 and 2887778303
                or network_number between 3232235520 and 3232301055
                or network_number between 2130706432 and 2147483647
                or network_number between 2851995648 and 2852061183
                then 'private'
            when
                network_number < 16777216
                or network_number between 3758096384 and 4026531839
                or network_number = 4294967295
                then 'reserved'
            else 'public'
        end
        -- The first group of an IPv6 address.
        when network_number < 18446744073709551616 then case
            when network_number = 0 then 'private'
            when network_number >= 18158513697557839872 and network_number < 18302628885633695744 then 'private'
            when network_number >= 18338657682652659712 and network_number < 18356672081162141696 then 'private'
            when network_number >= 18374686479671623680 then 'reserved'
            -- 64:ff9b::/96 translates the addresses of whole networks.
            when network_number = 28428538856079360 then 'carrier'
            else 'public'
        end
    end
{%- endmacro %}
