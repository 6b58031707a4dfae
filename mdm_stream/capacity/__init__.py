"""The load model: how large a deployment has to be for a volume, a simulated day, and what it costs a month."""
