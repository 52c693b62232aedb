{# The files behind a connector's raw path, all of one format. Whatever cannot be read is one
   compile error that says what is missing, where it was looked for and how to mend it. #}
{% macro raw_files(connector, formats=['parquet', 'csv', 'excel'], prefix='') %}
    {% set extensions =
        {'parquet': ['parquet'], 'csv': ['csv'], 'excel': ['xlsx', 'xlsb', 'xls']} %}
    {% set path = raw_path(connector) %}
    {% if not path %}
        {{ exceptions.raise_compiler_error(
            "The connector " ~ connector ~ " does not know where its raw data is: set the var "
            ~ "martlet_raw_path, e.g. --vars '{martlet_connector: " ~ connector
            ~ ", martlet_raw_path: data/" ~ connector ~ "}'."
        ) }}
    {% endif %}

    {% set found = namespace(format=none, files=[]) %}
    {% for format in formats if found.format is none %}
        {% for extension in extensions[format] %}
            {% if path.lower().endswith('.' ~ extension) %}
                {% set found.files = found.files + _files_of(path) %}
            {% else %}
                {% set pattern = path ~ '/' ~ prefix ~ '*.' ~ extension %}
                {% set found.files = found.files + _files_of(pattern) %}
            {% endif %}
        {% endfor %}
        {% set found.format = format if found.files else none %}
    {% endfor %}

    {% if found.format is none %}
        {{ exceptions.raise_compiler_error(
            "The connector " ~ connector ~ " found no " ~ formats | join(" or ") ~ " file"
            ~ (" whose name begins with " ~ prefix if prefix else "") ~ " at '" ~ path
            ~ "' (var martlet_raw_path; a relative path starts at the folder dbt is run in). "
            ~ "Check the path, or export the data again."
        ) }}
    {% endif %}
    {% for file in found.files if file.size == 0 %}
        {{ exceptions.raise_compiler_error(
            "The connector " ~ connector ~ " found an empty file: '" ~ file.path
            ~ "' has 0 bytes. Export the data again."
        ) }}
    {% endfor %}
    {{ return({'format': found.format, 'files': found.files | map(attribute='path') | list}) }}
{% endmacro %}

{# Path and size of the files that fit a pattern, by name. #}
{% macro _files_of(pattern) %}
    {{ return(adapter.dispatch('files_of', 'martlet')(pattern)) }}
{% endmacro %}

{% macro default__files_of(pattern) %}
    {% set files = [] %}
    {% for row in run_query(
        "select filename, size from read_blob('" ~ pattern | replace("'", "''")
        ~ "') order by filename"
    ).rows %}
        {% do files.append({'path': row[0], 'size': row[1] | int}) %}
    {% endfor %}
    {{ return(files) }}
{% endmacro %}
