"""Telemetry: spans of what a process does with a batch, and the shape of its log lines. Neither holds a value."""
