"""The gatekeeper of files: what a vendor drops in S3 becomes change events, and a manifest accounts for every row."""
