"""Matching: comparisons, scores and decisions on pairs."""
