{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='ordered_at', batch_size='year', begin='2024-01-01',
          partition_by={'field': 'ordered_at', 'data_type': 'timestamp', 'granularity': 'year'}) }}
SELECT id, ordered_at FROM {{ ref('orders') }}
