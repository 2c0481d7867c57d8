{% macro count_orders() %}
    {{ log("orders: " ~ run_query("SELECT COUNT(*) FROM " ~ ref('orders')).columns[0].values()[0], info=True) }}
{% endmacro %}
