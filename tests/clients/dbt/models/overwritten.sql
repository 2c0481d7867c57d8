{{ config(materialized='incremental', incremental_strategy='insert_overwrite', partition_by={'field': 'day', 'data_type': 'date'},
          on_schema_change='sync_all_columns') }}
SELECT DATE(ordered_at) AS day, id, {{ is_incremental() }} AS late FROM {{ ref('orders') }}
{% if is_incremental() %} WHERE DATE(ordered_at) >= DATE_SUB(_dbt_max_partition, INTERVAL 1 DAY) {% endif %}
