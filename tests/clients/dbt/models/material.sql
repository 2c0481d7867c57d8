{{ config(materialized='materialized_view', enable_refresh=true, refresh_interval_minutes=60, on_configuration_change='apply') }}
SELECT customer_id, COUNT(*) AS orders, SUM(amount) AS amount FROM {{ ref('orders') }} GROUP BY customer_id
