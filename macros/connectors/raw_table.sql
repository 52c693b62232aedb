{# What to put after FROM to read one raw table of a connector with every column as text: the
   seed raw_<table> (or its parts), or the files raw_<table> of the folder martlet_raw_path.
   What is missing ends the run with one message that says what, where and how to mend it; a column
   that is `optional` is NULL where the source does not have it. #}
{% macro raw_table(connector, table, columns, parts=[], must_have_rows=false, optional=[]) %}
    {% set path = raw_path(connector) %}
    {% set sources = [] %}
    {% if not path %}
        {% for name in (parts or [none]) %}
            {% do sources.append(ref('raw_' ~ table ~ ('_' ~ name if name else ''))) %}
        {% endfor %}
    {% elif execute %}
        {% do sources.append(raw_reader(connector, table)) %}
    {% endif %}

    {# A unit test hands its own rows in the place of the sources, and no optional column. #}
    {% set absent = [] %}
    {% if execute and model.resource_type == 'model' and flags.WHICH in ['run', 'build', 'show'] %}
        {% for source in sources %}
            {% set found = _raw_columns(connector, table, source, path) %}
            {% do _check_raw_columns(
                connector, table, columns | reject('in', optional), found, path ~ "/raw_" ~ table if path else source
            ) %}
            {% do absent.extend(optional | reject('in', found | map('lower') | list)) %}
        {% endfor %}
        {% if must_have_rows %}
            {% do _check_raw_rows(connector, table, sources, path) %}
        {% endif %}
    {% else %}
        {% do absent.extend(optional) %}
    {% endif %}

    {%- set query -%}
        {%- for source in (sources or [none]) %}
select
            {%- for column in columns %}
    cast({{ column if source and column not in absent else 'null' }} as string) as {{ column }}{{ ',' if not loop.last }}
            {%- endfor %}
{{ "from " ~ source if source else "where 1 = 0" }}
{{ "union all" if not loop.last }}
        {%- endfor %}
    {%- endset -%}
    {{ return('(' ~ query ~ ') as raw_' ~ table) }}
{% endmacro %}

{% macro _raw_columns(connector, table, source, path) %}
    {% if path %}
        {{ return(get_columns_in_query("select * from " ~ source)) }}
    {% endif %}
    {% set relation = load_relation(source) %}
    {% if relation is none %}
        {{ exceptions.raise_compiler_error(
            "The connector " ~ connector ~ " misses the raw table " ~ source
            ~ ": it is not in the database. Load it with `dbt seed --select " ~ source.identifier
            ~ "`, or point the var martlet_raw_path at a folder with raw_" ~ table ~ ".parquet or .csv."
        ) }}
    {% endif %}
    {{ return(adapter.get_columns_in_relation(relation) | map(attribute='name') | list) }}
{% endmacro %}

{% macro _check_raw_columns(connector, table, columns, found, place) %}
    {% set lower = found | map('lower') | list %}
    {% set missing = columns | reject('in', lower) | list %}
    {% if missing %}
        {{ exceptions.raise_compiler_error(
            "The connector " ~ connector ~ " misses the column " ~ missing | join(", ") ~ " in raw_"
            ~ table ~ " (" ~ place ~ "), which has: "
            ~ found | join(", ") ~ ". Rename or add the column; it may be empty."
        ) }}
    {% endif %}
{% endmacro %}

{% macro _check_raw_rows(connector, table, sources, path) %}
    {% set selects = [] %}
    {% for source in sources %}
        {% do selects.append("select 1 as found from " ~ source) %}
    {% endfor %}
    {% if run_query("select found from (" ~ selects | join(" union all ") ~ ") as raw_rows limit 1").rows
        | length == 0 %}
        {{ exceptions.raise_compiler_error(
            "The connector " ~ connector ~ " found no rows in raw_" ~ table ~ " ("
            ~ (path ~ "/raw_" ~ table if path else sources | join(", "))
            ~ "), only a header: nothing can be told of a shop without " ~ table
            ~ ". Export the data again."
        ) }}
    {% endif %}
{% endmacro %}
