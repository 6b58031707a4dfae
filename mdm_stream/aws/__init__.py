"""AWS as the project uses it: clients, errors, retries, reading and writing streams."""
