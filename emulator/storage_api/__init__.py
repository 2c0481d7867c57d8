"""The BigQuery Storage API over gRPC: `server` listens, `read` and `write` have one function per RPC, `columns` and `rows` convert."""
