"""The Kinesis API on one machine: moto behind a journal."""
