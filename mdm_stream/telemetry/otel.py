"""OpenTelemetry as an option: where spans are sent, by the standard ``OTEL_*`` variables of the environment.

Nothing is sent, and no library is loaded, unless an endpoint is set. The SDK reads further variables itself, such as
headers, certificates, samplers and the attributes of the resource.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.util import find_spec

from mdm_stream.telemetry.log_lines import DEPLOYMENT
from mdm_stream.telemetry.spans import BackendSpans, SpanBackend

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""Where spans are sent to: one of the two has to be set."""
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL = "http/protobuf"
EXPORTER = "OTEL_TRACES_EXPORTER"
DISABLED = "OTEL_SDK_DISABLED"
SERVICE = "OTEL_SERVICE_NAME"
RESOURCE = "OTEL_RESOURCE_ATTRIBUTES"
NAMESPACE = "mdm-stream"

_LOG = logging.getLogger(__name__)


def span_backends(service: str, environment: Mapping[str, str]) -> tuple[SpanBackend, ...]:
    """Return where the spans of a service go, beside X-Ray; nowhere if the environment has no endpoint.

    No process ends because its traces cannot be sent: what is in the way is a warning.
    """
    if not _is_wanted(environment):
        return ()
    protocol = next((environment[name] for name in PROTOCOLS if environment.get(name)), PROTOCOL)
    if protocol != PROTOCOL:
        _LOG.warning("no spans are sent: the only protocol is %s", PROTOCOL)
        return ()
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
        _LOG.warning("no spans are sent: the extra otel is missing (pip install 'mdm-stream[otel]')")
        return ()
    from mdm_stream.telemetry.otlp import OtlpSpans  # noqa: PLC0415 - loads the SDK, which most do without

    return (OtlpSpans(resource_attributes(service, environment)),)


def spans_of(service: str, environment: Mapping[str, str]) -> BackendSpans:
    """Return the spans of a process that is no function of Lambda."""
    return BackendSpans(*span_backends(service, environment))


def resource_attributes(service: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return what says whose spans they are; what the environment says of it itself is not repeated."""
    said = environment.get(RESOURCE, "")
    attributes = {"service.namespace": NAMESPACE}
    if not environment.get(SERVICE) and "service.name=" not in said:
        attributes["service.name"] = service
    if environment.get(DEPLOYMENT) and "deployment.environment.name=" not in said:
        attributes["deployment.environment.name"] = environment[DEPLOYMENT]
    return attributes


def _is_wanted(environment: Mapping[str, str]) -> bool:
    has_endpoint = any(environment.get(name) for name in ENDPOINTS)
    is_off = environment.get(DISABLED, "").lower() == "true" or environment.get(EXPORTER, "otlp") not in {"otlp", ""}
    return has_endpoint and not is_off
