{{ config(store_failures=true) }}
SELECT * FROM {{ ref('paid_orders') }} WHERE amount < 0
