"""The sections of ``make show-aws``, one a module: each has ``figures(show, scratch)``."""
