"""Reconcile: the whole history recomputed on Spark, and compared with what is live."""
