"""Wire models: change events in, golden changes out, and their JSON Schemas."""
