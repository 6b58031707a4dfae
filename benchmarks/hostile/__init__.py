"""Hostile input of our own making: events, files and rule sets, each with its kind, under the demo's rules."""
