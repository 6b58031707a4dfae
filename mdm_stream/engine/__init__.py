"""The engine: micro-batches read, planned, committed and published."""
