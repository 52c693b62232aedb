{# Runs before every build. One wrong setting, one message: what, where, how to mend. #}
{% macro check_settings() %}
    {% if execute and project_name != 'martlet' %}
        {% do _check_guest() %}
    {% elif execute %}
        {% do _check_profile() %}
        {% do _check_known_vars() %}
        {% do active_connectors() %}
        {% for name, check in _settings().items() if check is not none %}
            {% do _check_setting(name, *check) %}
        {% endfor %}
        {% do _check_hash_key() %}
        {% do check_session_state() %}
    {% endif %}
{% endmacro %}

{% macro _setting_error(name, problem, mend) %}
    {% do exceptions.raise_compiler_error(
        "Setting " ~ name ~ " " ~ problem ~ ". " ~ mend
        ~ " Settings live under `vars:` in dbt_project.yml or in --vars '{" ~ name ~ ": ...}'."
    ) %}
{% endmacro %}

{# Every setting and what holds for it, in the order of dbt_project.yml; those without a check here are checked
   where they are used. #}
{% macro _settings() %}
    {{ return({
        'martlet_connector': none,
        'martlet_raw_path': none,
        'martlet_connector_entities': none,
        'martlet_currency': ['currency'],
        'martlet_time_zone': ['time_zone'],
        'martlet_as_of_date': ['date'],
        'martlet_as_of_months': ['whole_number', 0, 600],
        'martlet_order_margin_share': ['number', 0, 1],
        'martlet_lifetime_value_burn_in_days': ['whole_number', 0, 36500],
        'martlet_discount_rate': ['number', 0, 1],
        'martlet_session_rule': ['choice', ['ga4', 'ga360', 'custom']],
        'martlet_session_timeout_minutes': ['whole_number', 1, 1440],
        'martlet_session_max_hours': ['whole_number', 1, 8760],
        'martlet_session_max_events': ['whole_number', 1, 1000000000],
        'martlet_cart_expiry_days': ['whole_number', 1, 365],
        'martlet_attribution_lookback_days': ['whole_number', 1, 365],
        'martlet_attribution_half_life_days': ['whole_number', 1, 365],
        'martlet_basket_max_items': ['whole_number', 2, 1000000],
        'martlet_basket_suggestions': ['whole_number', 1, 10],
        'martlet_recommendations': ['whole_number', 1, 100],
        'martlet_propensity_days': ['whole_number', 1, 365],
        'martlet_propensity_candidates': ['whole_number', 1, 1000],
        'martlet_sequence_max_gap': ['whole_number', 1, 1000],
        'martlet_sequence_decay': ['number', 0, 1],
        'martlet_sequence_min_customers': ['whole_number', 1, 1000000000],
        'martlet_sequence_max_products': ['whole_number', 2, 1000000],
        'martlet_looker_window_days': ['whole_number', 7, 365],
        'martlet_looker_outcome_days': ['whole_number', 1, 365],
        'martlet_looker_cost_per_hit': ['number', 0, 1000],
        'martlet_looker_expiry_days': ['whole_number', 1, 90],
        'martlet_looker_max_entries': ['whole_number', 0, 10000000],
        'martlet_churn_horizon_days': ['whole_number', 0, 3650],
        'martlet_churn_active_days': ['whole_number', 1, 3650],
        'martlet_retention_contact_cost': ['number', 0, 1000000],
        'martlet_retention_offer_cost': ['number', 0, 1000000],
        'martlet_retention_success_rate': ['number', 0, 1],
        'martlet_retention_holdout_share': ['number', 0, 0.9],
        'martlet_retention_response_days': ['whole_number', 1, 365],
        'martlet_intervention_cost': ['number', 0, 1000000],
        'martlet_intervention_offer_cost': ['number', 0, 1000000],
        'martlet_intervention_odds_ratio': ['number', 1, 100],
        'martlet_intervention_experiments': ['names'],
        'martlet_chargeback_days': ['whole_number', 0, 365],
        'martlet_chargeback_fee_amount': ['number', 0, 1000000],
        'martlet_review_cost_amount': ['number', 0, 1000000],
        'martlet_review_catch_rate': ['number', 0, 1],
    }) }}
{% endmacro %}

{# dbt accepts any name in --vars without a word; a typing error would silently leave the default in force. #}
{% macro _check_known_vars() %}
    {% set known = _settings().keys() | list %}
    {% for name in (invocation_args_dict.get('vars') or {}) %}
        {% if name.startswith('martlet') and name not in known %}
            {% do _setting_error(name, 'does not exist', 'Known settings: ' ~ known | join(', ') ~ '.') %}
        {% endif %}
    {% endfor %}
{% endmacro %}

{% macro _check_setting(name, kind, first=none, second=none) %}
    {% if kind == 'choice' %}{% do _check_choice(name, first) %}
    {% elif kind == 'whole_number' %}{% do _check_whole_number(name, first, second) %}
    {% elif kind == 'number' %}{% do _check_number(name, first, second) %}
    {% elif kind == 'date' %}{% do _check_date(name) %}
    {% elif kind == 'names' %}{% do _check_names(name) %}
    {% elif kind == 'currency' %}{% do _check_currency(name) %}
    {% elif kind == 'time_zone' %}{% do _check_time_zone(name) %}
    {% endif %}
{% endmacro %}

{% macro _check_choice(name, choices) %}
    {% if var(name) not in choices %}
        {% do _setting_error(name, "is '" ~ var(name) ~ "'", 'Choose one of: ' ~ choices | join(', ') ~ '.') %}
    {% endif %}
{% endmacro %}

{% macro _check_whole_number(name, lowest, highest) %}
    {% set value = var(name) %}
    {% if value is not integer or value is boolean or value < lowest or value > highest %}
        {% do _setting_error(
            name, "is '" ~ value ~ "'",
            'It must be a whole number from ' ~ lowest ~ ' to ' ~ highest ~ ', without quotes.'
        ) %}
    {% endif %}
{% endmacro %}

{% macro _check_number(name, lowest, highest) %}
    {% set value = var(name) %}
    {% if value is not number or value is boolean or value < lowest or value > highest %}
        {% do _setting_error(
            name, "is '" ~ value ~ "'",
            'It must be a number from ' ~ lowest ~ ' to ' ~ highest ~ ', without quotes.'
        ) %}
    {% endif %}
{% endmacro %}

{% macro _check_date(name) %}
    {% set value = var(name) | string %}
    {% if value %}
        {% set parsed = run_query("select try_cast('" ~ value | replace("'", "''") ~ "' as date)").columns[0][0] %}
        {% if parsed is none or not modules.re.match('^[0-9]{4}-[0-9]{2}-[0-9]{2}$', value) %}
            {% do _setting_error(name, "is '" ~ value ~ "'", "It must be a date such as '2026-06-30', or empty.") %}
        {% endif %}
    {% endif %}
{% endmacro %}

{% macro _check_names(name) %}
    {% set value = var(name) %}
    {% if value is string or value is mapping or value is not iterable
        or value | reject('string') | list or "'" in value | join %}
        {% do _setting_error(name, 'is ' ~ value, 'It must be a list of names without quotes, or [].') %}
    {% endif %}
{% endmacro %}

{% macro _check_currency(name) %}
    {% if not modules.re.match('^[A-Z]{3}$', var(name) | string) %}
        {% do _setting_error(name, "is '" ~ var(name) ~ "'", 'It must be an ISO 4217 code such as EUR.') %}
    {% endif %}
{% endmacro %}

{% macro _check_time_zone(name) %}
    {% if target.type == 'duckdb' %}
        {% set zone = var(name) | string | replace("'", "''") %}
        {% set found = run_query("select count(*) from pg_timezone_names() where name = '" ~ zone ~ "'") %}
        {% if found.columns[0][0] == 0 %}
            {% do _setting_error(name, "is '" ~ var(name) ~ "'", 'It must be an IANA name such as Europe/Berlin.') %}
        {% endif %}
    {% endif %}
{% endmacro %}

{% macro _check_hash_key() %}
    {% if active_connectors() != ['sample'] and not env_var('MARTLET_HASH_KEY', '') %}
        {% do exceptions.warn(
            "MARTLET_HASH_KEY is not set: e-mails and IP addresses are hashed with the public key of the sample shop, "
            ~ "so anybody can undo it. Set it to a long random text and keep it."
        ) %}
    {% endif %}
{% endmacro %}

{# As a package in another project: none of these settings matters, and none of the shop's models may run. #}
{% macro _check_guest() %}
    {% for node in graph.nodes.values() if node.package_name == 'martlet' and node.resource_type in ('model', 'seed') %}
        {% do exceptions.raise_compiler_error(
            "Project " ~ project_name ~ " uses a profile named 'martlet', which is what builds Martlet's shop. Give the "
            ~ "profile of " ~ project_name ~ " another name, or put `martlet: {+enabled: false}` under `models:`, "
            ~ "`seeds:`, `data_tests:` and `unit_tests:` in its dbt_project.yml."
        ) %}
    {% endfor %}
{% endmacro %}

{% macro _check_profile() %}
    {% if target.profile_name != 'martlet' %}
        {% do exceptions.raise_compiler_error(
            "The profile is '" ~ target.profile_name ~ "', but the shop's models are built under a profile named "
            ~ "'martlet' only: rename it in profiles.yml."
        ) %}
    {% endif %}
{% endmacro %}
