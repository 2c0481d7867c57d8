{{ config(materialized='ephemeral') }}
SELECT * FROM {{ ref('paid_orders') }} WHERE ordered_at >= TIMESTAMP '2025-02-01'
