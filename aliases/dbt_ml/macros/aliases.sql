{% macro predict(relation, source, threshold=none) -%}
    {{- martlet.predict(relation, source, threshold) -}}
{%- endmacro %}

{% macro recommend(relation, source, threshold=none) -%}
    {{- martlet.recommend(relation, source) -}}
{%- endmacro %}

{% macro ml_recommend(relation, source, threshold=none) -%}
    {{- martlet.recommend(relation, source) -}}
{%- endmacro %}

{% macro forecast(relation, horizon=30, confidence_level=0.8) -%}
    {{- martlet.forecast(relation, horizon, confidence_level) -}}
{%- endmacro %}

{% macro detect_anomalies(relation, source, threshold=0.95) -%}
    {{- martlet.detect_anomalies(relation, source, threshold) -}}
{%- endmacro %}

{% macro hparam_range(min_, max_) -%}
    {%- do return(martlet.hparam_range(min_, max_)) -%}
{%- endmacro %}

{% macro hparam_candidates(candidates) -%}
    {%- do return(martlet.hparam_candidates(candidates)) -%}
{%- endmacro %}

{% macro create_model_audit_table() -%}
    {{- martlet.create_model_audit_table() -}}
{%- endmacro %}

{% macro model_audit() -%}
    {{- martlet.model_audit() -}}
{%- endmacro %}
