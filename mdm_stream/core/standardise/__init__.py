"""Standardisation: delivered text to a readable ``value`` and a canonical ``match``, by attribute type."""

from mdm_stream.core.standardise.names import nickname_root
from mdm_stream.core.standardise.record_values import MULTI_VALUES_MAX, has_own_value, standardise_record
from mdm_stream.core.standardise.registry import STANDARDISERS, TYPE_OPTIONS, TYPE_PARTS, why_invalid
from mdm_stream.core.standardise.spec import Options, OptionSpec, Standardiser
from mdm_stream.core.standardise.text import MATCH_LENGTH_MAX, clean, fold

__all__ = [
    "MATCH_LENGTH_MAX",
    "MULTI_VALUES_MAX",
    "STANDARDISERS",
    "TYPE_OPTIONS",
    "TYPE_PARTS",
    "OptionSpec",
    "Options",
    "Standardiser",
    "clean",
    "fold",
    "has_own_value",
    "nickname_root",
    "standardise_record",
    "why_invalid",
]
