{{ config(materialized='view') }}
SELECT id, customer_id, ordered_at, DATE(ordered_at) AS day, amount, status FROM {{ ref('orders') }} WHERE status != 'cancelled'
