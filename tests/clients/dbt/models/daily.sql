{{ config(materialized='table', partition_by={'field': 'day', 'data_type': 'date', 'granularity': 'month'}, cluster_by='status',
          require_partition_filter=true, hours_to_expiration=48) }}
SELECT day, status, COUNT(*) AS orders FROM {{ ref('recent') }} GROUP BY 1, 2
