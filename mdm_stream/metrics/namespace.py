"""The namespace of a deployment's metrics: two deployments of one account and region must not write to the same."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mdm_stream.errors import ConfigurationError

NAMESPACE_VARIABLE = "POWERTOOLS_METRICS_NAMESPACE"
"""The name that the library of the functions has for it, so that any other function of an account has the same one."""

DEFAULT_NAMESPACE = "mdm-stream"

NAMESPACE_PATTERN = r"^[0-9A-Za-z][0-9A-Za-z._#-]{0,254}$"
"""Of what CloudWatch takes: no slash, so that none is one of AWS's own, which begin with AWS/."""


def namespace_of(environment: Mapping[str, str]) -> str:
    """Return the namespace that the environment names, or the default; ``ConfigurationError`` if CloudWatch takes none
    of that name: it would drop every metric without a word.
    """
    named = environment.get(NAMESPACE_VARIABLE) or DEFAULT_NAMESPACE
    if re.fullmatch(NAMESPACE_PATTERN, named) is None:
        raise ConfigurationError(
            f"{NAMESPACE_VARIABLE} should be 1 to 255 letters, digits and . - _ #, of which the first is a letter or a "
            "digit; correct the setting"
        )
    return named
