"""Metrics: the namespace of a deployment, and what lines in CloudWatch's embedded metric format (EMF) say."""

from mdm_stream.metrics.catalogue import METRICS, MetricDefinition
from mdm_stream.metrics.emf import VALUES_MAX, MetricSample, emf_document, samples_of
from mdm_stream.metrics.namespace import DEFAULT_NAMESPACE, NAMESPACE_VARIABLE, namespace_of

__all__ = [
    "DEFAULT_NAMESPACE",
    "METRICS",
    "NAMESPACE_VARIABLE",
    "VALUES_MAX",
    "MetricDefinition",
    "MetricSample",
    "emf_document",
    "namespace_of",
    "samples_of",
]
