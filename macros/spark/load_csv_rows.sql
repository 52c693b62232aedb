{# dbt-spark puts values into the text of the statement without escaping a quote, and writes an empty cell as 'None'. #}
{% macro spark__load_csv_rows(model, agate_table) -%}
    {%- set types = model['config'].get('column_types', {}) -%}
    {%- set statements = [] -%}
    {%- for chunk in agate_table.rows | batch(1000) -%}
        {%- set rows = [] -%}
        {%- for row in chunk -%}
            {%- set cells = [] -%}
            {%- for cell in row -%}
                {%- set type = types.get(
                    agate_table.column_names[loop.index0], adapter.convert_type(agate_table, loop.index0)
                ) -%}
                {%- set text = (cell | string).replace('\\', '\\\\').replace("'", "\\'") -%}
                {%- do cells.append("cast(" ~ ('null' if cell is none else "'" ~ text ~ "'") ~ " as " ~ type ~ ")") -%}
            {%- endfor -%}
            {%- do rows.append('(' ~ cells | join(', ') ~ ')') -%}
        {%- endfor -%}
        {%- do adapter.add_query(
            'insert into ' ~ this.render() ~ ' values ' ~ rows | join(', '), abridge_sql_log=True
        ) -%}
        {%- do statements.append('insert into ' ~ this.render()) -%}
    {%- endfor -%}
    {{ return(statements[0] if statements else '') }}
{%- endmacro %}
