{# What to put after FROM to read the files raw_<table>.parquet (or .csv) and
   raw_<table>_*.parquet of a connector's raw path, with every column of a CSV as text. #}
{% macro raw_reader(connector, table) %}
    {{ return(adapter.dispatch('raw_reader', 'martlet')(connector, table)) }}
{% endmacro %}

{% macro default__raw_reader(connector, table) %}
    {% set raw = raw_files(connector, ['parquet', 'csv'], 'raw_' ~ table) %}
    {% set quoted = [] %}
    {% for file in raw.files %}
        {% do quoted.append("'" ~ file | replace("'", "''") ~ "'") %}
    {% endfor %}
    {% set files = "[" ~ quoted | join(", ") ~ "]" %}
    {% if raw.format == 'parquet' %}
        {{ return("read_parquet(" ~ files ~ ", union_by_name = true)") }}
    {% endif %}
    {{ return(
        "read_csv(" ~ files ~ ", all_varchar = true, header = true, delim = ',', quote = '\"', "
        ~ "escape = '\"', union_by_name = true)"
    ) }}
{% endmacro %}

{# Spark lists and reads the part files of a folder by itself. #}
{% macro spark__raw_reader(connector, table) %}
    {{ return("parquet.`" ~ raw_path(connector) ~ "/raw_" ~ table ~ ".parquet`") }}
{% endmacro %}
