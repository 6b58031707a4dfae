"""The index: the state of a domain, on Redis or in memory."""
