{# A post-hook of a model: one row a training, with what dbt_ml keeps. A reused version adds none. #}
{% macro model_audit() -%}
    {%- if execute and model.config.materialized == 'model' -%}
        {%- set relation = martlet._model_audit_table() -%}
        {%- set ml_config = model.config.get('ml_config') or model.config.meta.get('ml_config') or {} -%}
        {%- set has_weights = ml_config.get('model_type', '') | lower in ['linear_reg', 'logistic_reg'] -%}
        insert into {{ relation }}
        select
            model_name,
            '{{ this.schema }}',
            trained_at,
            training_info,
            list_transform(feature_info, lambda f: struct_pack(
                input := f.input, "min" := f."min", "max" := f."max", mean := f.mean, median := f.median,
                stddev := f.stddev, category_count := f.category_count, null_count := f.null_count
            )),
            {% if has_weights -%}
            (
                select list({
                    'processed_input': processed_input, 'weight': weight, 'category_weights': category_weights
                })
                from {{ martlet.ml_weights(this) }}
            )
            {%- else -%}
            null
            {%- endif %}
        from {{ this }} as fitted
        where
            is_champion
            and not exists (
                select 1
                from {{ relation }} as seen
                where
                    seen.model = fitted.model_name
                    and seen.schema = '{{ this.schema }}'
                    and seen.created_at = fitted.trained_at
            )
    {%- endif -%}
{%- endmacro %}
