"""Trace: what one event became, from the stream to the golden record and the warehouse row, and back from there."""
