"""The golden feed: messages, and their way from the outbox to Kinesis."""
