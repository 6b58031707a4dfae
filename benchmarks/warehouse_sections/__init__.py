"""The sections of ``make show-warehouse``, one a module: each has ``figures(show, scratch)``."""
