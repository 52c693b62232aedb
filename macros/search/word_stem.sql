{#
    A word without its English plural ending, so that "boxes", "box", "cookies" and "cookie" meet: the S-stemmer of
    Harman (1991, "How effective is suffixing?", JASIS 42(1)) with the endings -xes, -ches, -shes, -sses and -oes, and
    the irregular plurals that shops sell. A stem need not be a word ("cooky"). Words of up to three letters and
    words with a digit (codes, sizes) stay as they are.
#}
{% macro word_stem(word) -%}
{%- set irregular = {
    'men': 'man', 'mens': 'man', 'women': 'woman', 'womens': 'woman', 'children': 'child', 'feet': 'foot',
    'teeth': 'tooth', 'mice': 'mouse', 'geese': 'goose', 'knives': 'knife', 'wives': 'wife', 'lives': 'life',
    'shelves': 'shelf', 'scarves': 'scarf', 'leaves': 'leaf', 'loaves': 'loaf', 'wolves': 'wolf', 'halves': 'half',
    'calves': 'calf', 'elves': 'elf', 'lens': 'lens', 'lenses': 'lens', 'buses': 'bus',
} -%}
case
    {%- for plural, singular in irregular.items() %}
    when {{ word }} = '{{ plural }}' then '{{ singular }}'
    {%- endfor %}
    when length({{ word }}) <= 3 or {{ text_matches(word, '[0-9]') }} then {{ word }}
    {#- Also the singular of "cookies" ends so, and of "hoodies" there are two. #}
    when length({{ word }}) > 4 and {{ text_matches(word, 'ies$') }}
        then concat(substr({{ word }}, 1, length({{ word }}) - 3), 'y')
    when length({{ word }}) > 4 and {{ text_matches(word, 'ie$') }}
        then concat(substr({{ word }}, 1, length({{ word }}) - 2), 'y')
    when {{ text_matches(word, '(x|ch|sh|ss|(at|er|g)o)es$') }}
        then substr({{ word }}, 1, length({{ word }}) - 2)
    when {{ text_matches(word, '[^siu]s$') }} then substr({{ word }}, 1, length({{ word }}) - 1)
    else {{ word }}
end
{%- endmacro %}
