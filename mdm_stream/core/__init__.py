"""The pure core: F and its parts. Nothing here does I/O or asks for the time."""
