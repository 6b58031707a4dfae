"""Entry points: what AWS Lambda (or the local poller) calls."""
