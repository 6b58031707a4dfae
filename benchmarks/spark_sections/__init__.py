"""The sections of ``make show-spark``, one a module: each has ``figures(show, scratch)``."""
