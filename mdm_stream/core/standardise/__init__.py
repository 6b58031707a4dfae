"""Standardisation: delivered text to a readable ``value`` and a canonical ``match``, by attribute type."""

from mdm_stream.core.standardise.also import match_values
from mdm_stream.core.standardise.name_forms import are_other_names, has_known_name, nickname_root, respelt
from mdm_stream.core.standardise.record_plan import MULTI_VALUES_MAX
from mdm_stream.core.standardise.record_values import (
    has_own_value,
    is_valid_whole,
    part_values,
    standardise_record,
    step_of_record,
    whole_of_parts,
)
from mdm_stream.core.standardise.registry import (
    COUNTRY_TYPES,
    JOIN_NEEDS,
    STANDARDISERS,
    TYPE_OPTIONS,
    TYPE_PARTS,
    why_invalid,
)
from mdm_stream.core.standardise.scripts import is_other_script, readings, romanised_similarity
from mdm_stream.core.standardise.set_aside import delivered, set_aside, why_absent, why_values_are_invalid
from mdm_stream.core.standardise.spec import Options, OptionSpec, Standardiser
from mdm_stream.core.standardise.text import MATCH_LENGTH_MAX, clean, fold

__all__ = [
    "COUNTRY_TYPES",
    "JOIN_NEEDS",
    "MATCH_LENGTH_MAX",
    "MULTI_VALUES_MAX",
    "STANDARDISERS",
    "TYPE_OPTIONS",
    "TYPE_PARTS",
    "OptionSpec",
    "Options",
    "Standardiser",
    "are_other_names",
    "clean",
    "delivered",
    "fold",
    "has_known_name",
    "has_own_value",
    "is_other_script",
    "is_valid_whole",
    "match_values",
    "nickname_root",
    "part_values",
    "readings",
    "respelt",
    "romanised_similarity",
    "set_aside",
    "standardise_record",
    "step_of_record",
    "whole_of_parts",
    "why_absent",
    "why_invalid",
    "why_values_are_invalid",
]
