"""Rebuild: a domain's index anew from its archive, while events keep coming."""
