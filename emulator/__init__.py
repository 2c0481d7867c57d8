"""An embedded BigQuery: the REST API of the real service on GoogleSQL's own analyzer and DuckLake."""
