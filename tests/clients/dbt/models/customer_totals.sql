{{ config(materialized='table', cluster_by=['customer_id']) }}
SELECT c.id AS customer_id, c.name, SUM(o.amount) AS total, {{ target.schema }}.cents(SUM(o.amount)) AS cents,
    ARRAY_AGG(STRUCT(o.id, o.amount) ORDER BY o.id) AS orders
FROM {{ ref('customers') }} AS c JOIN {{ ref('paid_orders') }} AS o ON o.customer_id = c.id
GROUP BY 1, 2
