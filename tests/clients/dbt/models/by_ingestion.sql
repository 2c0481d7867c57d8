{{ config(materialized='incremental', incremental_strategy='insert_overwrite',
          partition_by={'field': 'ordered_at', 'data_type': 'timestamp', 'time_ingestion_partitioning': true}) }}
SELECT TIMESTAMP_TRUNC(ordered_at, DAY) AS ordered_at, id FROM {{ ref('orders') }}
