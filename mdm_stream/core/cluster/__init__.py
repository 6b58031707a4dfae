"""Clusters: edges, conflicts, survivorship, golden records and the review queue."""
