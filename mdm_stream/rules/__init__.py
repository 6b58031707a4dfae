"""Rule sets: YAML in, a compiled :class:`~mdm_stream.core.ruleset.Ruleset` out, or errors that name file and line."""

from mdm_stream.rules.check import check_file
from mdm_stream.rules.extend import pack_names
from mdm_stream.rules.findings import Finding
from mdm_stream.rules.load import load_ruleset, load_rulesets, load_written
from mdm_stream.rules.schema import ruleset_schema

__all__ = ["Finding", "check_file", "load_ruleset", "load_rulesets", "load_written", "pack_names", "ruleset_schema"]
