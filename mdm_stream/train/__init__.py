"""Learning the weights of a rule set from records, without labels: see ``docs/guide/training.md``."""
