"""Servers and processes that the local stack starts."""
