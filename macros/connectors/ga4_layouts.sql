{# The daily files of a Google Analytics 4 export, gathered by layout: Google adds columns and
   fields from time to time, so files of different years differ. Each layout names its files and
   the paths of its fields (device.web_info.browser); what a layout lacks becomes NULL. #}
{% macro ga4_layouts() %}
    {% if not execute %}
        {{ return([{'files': [], 'fields': []}]) }}
    {% endif %}
    {% set files = [] %}
    {% for file in raw_files('ga4', formats=['parquet'], prefix='events_').files %}
        {% if modules.re.search('events_(intraday_|fresh_)?[0-9]{8}[^/]*$', file) %}
            {% do files.append(file) %}
        {% endif %}
    {% endfor %}
    {% if not files %}
        {{ exceptions.raise_compiler_error(
            "The connector ga4 found Parquet files at '" ~ raw_path('ga4') ~ "', but none is named "
            ~ "events_YYYYMMDD.parquet or events_intraday_YYYYMMDD.parquet, as the tables of the "
            ~ "export are. Keep the name of the table when you export it: the day is read from it."
        ) }}
    {% endif %}

    {% set layouts = [] %}
    {% for layout in _ga4_file_layouts(files) %}
        {% set fields = _field_paths(layout.nodes) %}
        {% set missing = [] %}
        {% for field in ['event_timestamp', 'event_name', 'event_params'] if field not in fields %}
            {% do missing.append(field) %}
        {% endfor %}
        {% if missing %}
            {{ exceptions.raise_compiler_error(
                "The connector ga4 misses the column " ~ missing | join(", ") ~ " in "
                ~ layout.files[0] ~ ": export the whole table, without a list of columns."
            ) }}
        {% endif %}
        {% do layouts.append({'files': layout.files, 'fields': fields}) %}
    {% endfor %}
    {{ return(layouts) }}
{% endmacro %}

{% macro _ga4_file_layouts(files) %}
    {{ return(adapter.dispatch('ga4_file_layouts', 'martlet')(files)) }}
{% endmacro %}

{% macro default__ga4_file_layouts(files) %}
    {% set layouts = [] %}
    {% for row in run_query(
        "with file_nodes as ("
        ~ " select file_name, string_agg(name || ':' || coalesce(num_children, 0)"
        ~ " || ':' || coalesce(type, ''), ' ' order by node_number) as nodes"
        ~ " from (select *, row_number() over () as node_number from parquet_schema("
        ~ _text_list(files) ~ ")) group by file_name)"
        ~ " select nodes, string_agg(file_name, '|' order by file_name) from file_nodes"
        ~ " group by nodes order by min(file_name)"
    ).rows %}
        {% do layouts.append({'nodes': row[0].split(' '), 'files': row[1].split('|')}) %}
    {% endfor %}
    {{ return(layouts) }}
{% endmacro %}

{# Parquet lists its fields depth first with the number of children of each. The levels that only
   say "this is a list" are left out of the paths. #}
{% macro _field_paths(nodes) %}
    {% set paths = [] %}
    {# Each entry is an open parent: its path and how many children are still to come. #}
    {% set parents = [] %}
    {% for node in nodes[1:] %}
        {% set name, child_count = node.split(':')[0], node.split(':')[1] | int %}
        {% set outer = parents[-1].path if parents else '' %}
        {% if parents %}
            {% do parents[-1].update({'left': parents[-1].left - 1}) %}
        {% endif %}
        {% if name in ('list', 'element', 'item', 'array', 'bag') %}
            {% set path = outer %}
        {% else %}
            {% set path = (outer ~ '.' ~ name) if outer else name %}
            {% do paths.append(path) %}
        {% endif %}
        {% if child_count %}
            {% do parents.append({'path': path, 'left': child_count}) %}
        {% endif %}
        {% for _ in range(parents | length) %}
            {% if parents[-1].left == 0 %}
                {% do parents.pop() %}
            {% endif %}
        {% endfor %}
    {% endfor %}
    {{ return(paths) }}
{% endmacro %}
