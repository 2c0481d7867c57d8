{{ config(materialized='incremental', unique_key='id', incremental_strategy='merge', on_schema_change='append_new_columns',
          partition_by={'field': 'ordered_at', 'data_type': 'timestamp'}, merge_exclude_columns=['first_run']) }}
SELECT id, ordered_at, amount, {{ is_incremental() }} AS late, '{{ run_started_at }}' AS first_run
    {% if var('more', false) %}, status {% endif %}
FROM {{ ref('orders') }}
{% if is_incremental() %} WHERE ordered_at >= (SELECT MAX(ordered_at) FROM {{ this }}) OR id = 1 {% endif %}
