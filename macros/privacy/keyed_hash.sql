{# A pseudonym for personal data (e-mail, IP address): SHA-256 over the key and the value, as 64 hex digits.

   Without the key a hash of an IPv4 address is undone by four billion tries, so the key comes from the
   environment and is never stored in the warehouse: use this macro in tables only, a view would keep the
   key in its text. NULL stays NULL. #}
{% macro keyed_hash(expression) -%}
    {{ return(adapter.dispatch('keyed_hash', 'martlet')(expression)) }}
{%- endmacro %}

{% macro default__keyed_hash(expression) -%}
    sha256({{ _hash_key() }} || '|' || cast({{ expression }} as {{ type_string() }}))
{%- endmacro %}

{% macro spark__keyed_hash(expression) -%}
    sha2({{ _hash_key() }} || '|' || cast({{ expression }} as {{ type_string() }}), 256)
{%- endmacro %}

{% macro _hash_key() -%}
    '{{ env_var('MARTLET_HASH_KEY', sample_hash_key()) | replace("'", "''") }}'
{%- endmacro %}
