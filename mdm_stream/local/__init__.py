"""The embedded stack: AWS APIs, Redis, and event-source pollers with Lambda's semantics, on one machine."""
