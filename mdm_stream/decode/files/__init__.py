"""Event files: JSON lines and CSV."""
