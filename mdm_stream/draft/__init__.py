"""A rule set for a company's own files, drafted from what they hold: ``mdm-stream init``."""
