{{ config(materialized='incremental', incremental_strategy='insert_overwrite',
          partition_by={'field': 'ordered_at', 'data_type': 'timestamp', 'granularity': 'day', 'copy_partitions': true}) }}
SELECT ordered_at, id FROM {{ ref('orders') }}
{% if is_incremental() %} WHERE ordered_at >= '2025-02-02' {% endif %}
