"""The plan of a batch: groups, expectations and writes."""
