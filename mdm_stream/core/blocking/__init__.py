"""Blocking: the keys by which records become candidates of each other."""
