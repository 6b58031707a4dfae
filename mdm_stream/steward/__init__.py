"""What stewards ask of the index: what is here, and why."""
