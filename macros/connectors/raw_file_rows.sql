{# A query that reads a connector's files with every column as text under its own name, whatever the
   publisher of the file called it. `columns` maps a name to its known spellings, written without
   blanks, underscores and capitals. Excel files are read by the materialization raw_file. #}
{% macro raw_file_rows(connector, columns) %}
    {% if not execute %}
        {{ return(_no_rows(columns)) }}
    {% endif %}
    {% set raw = raw_files(connector) %}
    {% if raw.format == 'excel' %}
        {{ return(_no_rows(columns)) }}
    {% endif %}
    {{ return(adapter.dispatch('raw_file_rows', 'martlet')(connector, columns, raw)) }}
{% endmacro %}

{% macro default__raw_file_rows(connector, columns, raw) %}
    {% set selects = [] %}
    {% for reader in _readers(raw) %}
        {% set names = run_query("describe select * from " ~ reader).columns[0].values() %}
        {% set picked = _pick_columns(connector, columns, names, raw.files) %}
        {% if run_query("select 1 from " ~ reader ~ " limit 1").rows | length == 0 %}
            {{ exceptions.raise_compiler_error(
                "The connector " ~ connector ~ " found no rows in " ~ raw.files | join(", ")
                ~ ", only a header. Export the data again."
            ) }}
        {% endif %}
        {% set select %}
select
    {%- for name in columns %}
    cast({{ picked[name] }} as varchar) as {{ name }},
    {%- endfor %}
    parse_filename(filename) as source_part
from {{ reader }}
        {%- endset %}
        {% do selects.append(select) %}
    {% endfor %}
    {% set query %}
select
    row_number() over () as raw_row_number,
    raw_rows.*
from (
{{ selects | join('\nunion all\n') }}
) as raw_rows
    {%- endset %}
    {{ return(query) }}
{% endmacro %}

{# One reader for Parquet, one for each text encoding of CSV: files that are not valid UTF-8 are
   taken for Latin-1, which is what older exports of spreadsheets are. #}
{% macro _readers(raw) %}
    {% if raw.format == 'parquet' %}
        {{ return([
            "read_parquet(" ~ _text_list(raw.files) ~ ", union_by_name = true, filename = true)"
        ]) }}
    {% endif %}
    {% set readers = [] %}
    {% set by_encoding = {'utf-8': [], 'latin-1': []} %}
    {% for file in raw.files %}
        {% set is_utf8 = run_query(
            "select try(decode(content)) is not null from read_blob('"
            ~ file | replace("'", "''") ~ "')"
        ).rows[0][0] %}
        {% do by_encoding['utf-8' if is_utf8 else 'latin-1'].append(file) %}
    {% endfor %}
    {% for encoding, files in by_encoding.items() if files %}
        {% do readers.append(
            "read_csv(" ~ _text_list(files) ~ ", encoding = '" ~ encoding ~ "', header = true, "
            ~ "all_varchar = true, quote = '\"', escape = '\"', union_by_name = true, "
            ~ "filename = true)"
        ) %}
    {% endfor %}
    {{ return(readers) }}
{% endmacro %}

{% macro _text_list(texts) %}
    {% set quoted = [] %}
    {% for text in texts %}
        {% do quoted.append("'" ~ text | replace("'", "''") ~ "'") %}
    {% endfor %}
    {{ return("[" ~ quoted | join(", ") ~ "]") }}
{% endmacro %}

{# The expression that reads each column, after looking for it under all its spellings. #}
{% macro _pick_columns(connector, columns, names, files) %}
    {% set picked = {} %}
    {% set missing = [] %}
    {% for column, spellings in columns.items() %}
        {% set matches = [] %}
        {% for name in names if modules.re.sub('[^a-z0-9]', '', name | lower) in spellings %}
            {% do matches.append(adapter.quote(name)) %}
        {% endfor %}
        {% if matches %}
            {% do picked.update({
                column: matches[0] if matches | length == 1
                    else "coalesce(" ~ matches | join(", ") ~ ")"
            }) %}
        {% else %}
            {% do missing.append(column) %}
        {% endif %}
    {% endfor %}
    {% if missing %}
        {{ exceptions.raise_compiler_error(
            "The connector " ~ connector ~ " misses the column " ~ missing | join(", ") ~ " in "
            ~ files | join(", ") ~ ", which has: "
            ~ names | reject("equalto", "filename") | join(", ")
            ~ ". Rename the column in the file, or point martlet_raw_path at another file."
        ) }}
    {% endif %}
    {{ return(picked) }}
{% endmacro %}

{# The shape of the rows, for parsing and for files that SQL cannot read. #}
{% macro _no_rows(columns) %}
    {% set query %}
select
    cast(null as bigint) as raw_row_number,
    {%- for name in columns %}
    cast(null as varchar) as {{ name }},
    {%- endfor %}
    cast(null as varchar) as source_part
where 1 = 0
    {%- endset %}
    {{ return(query) }}
{% endmacro %}
