"""No script: tests hash it, and nothing runs it."""
