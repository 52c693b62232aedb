{#
    Every value of a relation or CTE as a row: the column, its type and the values in it (one, or those of
    an array) as text. The columns need not be known when the project is compiled.
#}
{% macro _data_cells(input) -%}
    select
        name,
        trim(replace(cell.kind, '[]', '')) as kind,
        cell.kind like '%[]' as is_array,
        cell.is_missing,
        cell.elements
    from (
        unpivot (
            select
                {
                    'kind': typeof(columns('.*')),
                    'is_missing': columns('.*') is null,
                    'elements': case
                        when columns('.*') is null then cast([] as varchar[])
                        when typeof(columns('.*')) like '%[]'
                            then json_extract_string(to_json(columns('.*')), '$[*]')
                        else [cast(columns('.*') as varchar)]
                    end
                } as "\0"
            from {{ input }}
        ) on columns(*) into name name value cell
    )
{%- endmacro %}

{# Condition: the type is a number, or a moment, which counts as seconds. #}
{% macro _is_number(kind) -%}
    ({{ kind }} in (
        'TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT', 'UTINYINT', 'USMALLINT', 'UINTEGER', 'UBIGINT', 'UHUGEINT',
        'FLOAT', 'DOUBLE'
    ) or {{ kind }} like 'DECIMAL%' or {{ kind }} like 'TIMESTAMP%')
{%- endmacro %}

{% macro _as_number(kind, value) -%}
    case
        when {{ kind }} like 'TIMESTAMP%' then epoch(try_cast({{ value }} as timestamptz))
        else try_cast({{ value }} as double)
    end
{%- endmacro %}
