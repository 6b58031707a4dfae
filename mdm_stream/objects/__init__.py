"""Named bytes in a folder or on S3."""
