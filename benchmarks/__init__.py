"""Every figure the README quotes, printed by `python -m benchmarks`."""
