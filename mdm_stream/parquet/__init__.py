"""Parquet of others, read in a process of its own that may crash, hang or run out of memory by itself alone."""
