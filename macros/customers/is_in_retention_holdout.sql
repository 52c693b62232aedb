{# Whether a customer gets no offer, so that what offers do can be told later: decided by the key alone, so
   that a customer stays on one side. #}
{% macro is_in_retention_holdout(customer) -%}
    substr({{ hash_text(["'retention'", customer]) }}, 1, 4)
    < '{{ "%04x" | format((var("martlet_retention_holdout_share") * 65536) | int) }}'
{%- endmacro %}
