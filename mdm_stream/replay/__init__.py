"""Replay: event files through the real engine on a real Redis, without Kinesis."""
