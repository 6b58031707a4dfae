"""The sections of ``make show-terraform``, one a module: each has ``figures(show, scratch)``."""
