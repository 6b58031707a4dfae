"""The index: the state of a domain, on Redis or in memory, behind a port for the engine and one for readers."""
