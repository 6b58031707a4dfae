"""The resolve consumer: change events in, golden changes out."""
