{# A code word as the contract writes it: lower case, words joined by underscores ("Too small"
   and "too-small" are too_small); empty is NULL. #}
{% macro clean_code(text) -%}
    nullif(trim(
        {{ text_replace_all(text_replace_all('lower(trim(' ~ text ~ '))', '[ -]+', '_'), '_+', '_') }}
    ), '')
{%- endmacro %}
