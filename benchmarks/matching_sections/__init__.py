"""The sections of ``make show-matching``, one a module: each has ``figures(show, scratch)``."""
