"""A believable population over three sources: for the demo, for trying rules, and for load."""

from mdm_stream.simulate.demo_rules import DEMO_RULES
from mdm_stream.simulate.files import EVENT_FILES, MANIFEST_FILE, RULES_FILE, TRUTH_FILE, write_population
from mdm_stream.simulate.stream import Population, TruthRow, WireEvent, generate, people_for_events

__all__ = [
    "DEMO_RULES",
    "EVENT_FILES",
    "MANIFEST_FILE",
    "RULES_FILE",
    "TRUTH_FILE",
    "Population",
    "TruthRow",
    "WireEvent",
    "generate",
    "people_for_events",
    "write_population",
]
