"""Lambda's event source mapping on one machine."""
