"""The embedded stack: a Kinesis API, Redis, and an event-source poller with Lambda's semantics, on one machine."""
