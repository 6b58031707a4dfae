"""CloudWatch's alarms on one machine: the definitions that Terraform deploys, on the metrics that functions write.

Definitions are read from a file of Terraform's module ``observability``; samples come from lines in the embedded
metric format, or are put in by whatever measures on AWS's behalf. Nothing here reads a clock or a network.
"""

from mdm_stream.local.alarms.definitions import Alarm, AlarmDefinition, MetricQuery, load_alarms
from mdm_stream.local.alarms.samples import MetricHistory
from mdm_stream.local.alarms.states import AlarmState, next_state, state_at
from mdm_stream.metrics import MetricSample, samples_of

__all__ = [
    "Alarm",
    "AlarmDefinition",
    "AlarmState",
    "MetricHistory",
    "MetricQuery",
    "MetricSample",
    "load_alarms",
    "next_state",
    "samples_of",
    "state_at",
]
