"""Erasure: a record's values out of every place that may hold them, and the search that proves it."""
