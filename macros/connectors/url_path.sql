{# The path of a web address, without site, query and fragment; / for a site's front page. #}
{% macro url_path(url) -%}
    case
        when {{ clean_text(url) }} is not null then coalesce(
            nullif(regexp_extract(trim({{ url }}), '^(?:[a-zA-Z]+://[^/?#]*)?([^?#]*)', 1), ''), '/'
        )
    end
{%- endmacro %}
