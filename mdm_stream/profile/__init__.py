"""What delivered records look like: today the values that suspiciously many of them share."""
