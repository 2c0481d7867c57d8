{{ config(materialized='incremental', incremental_strategy='insert_overwrite', partitions=["DATE '2025-02-02'"],
          partition_by={'field': 'day', 'data_type': 'date'}) }}
SELECT DATE(ordered_at) AS day, id FROM {{ ref('orders') }}
{% if is_incremental() %} WHERE DATE(ordered_at) = '2025-02-02' {% endif %}
