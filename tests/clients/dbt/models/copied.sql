{{ config(materialized='copy') }}
SELECT * FROM {{ ref('orders') }}
