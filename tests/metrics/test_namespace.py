"""Each deployment's metrics have a namespace of their own, by one variable, whatever writes them."""

from __future__ import annotations

import pytest

from consumers.reconcile.arguments import JobSettings
from mdm_stream.errors import ConfigurationError
from mdm_stream.metrics import DEFAULT_NAMESPACE, NAMESPACE_VARIABLE, namespace_of


def test_the_variable_is_that_of_the_library():
    """A function of an account that uses it has its metrics in the same place."""
    from aws_lambda_powertools.shared import constants  # noqa: PLC0415 - in the extra of the consumers alone

    assert constants.METRICS_NAMESPACE_ENV == NAMESPACE_VARIABLE


@pytest.mark.parametrize(("environment", "namespace"), [
    ({}, DEFAULT_NAMESPACE),
    ({NAMESPACE_VARIABLE: ""}, DEFAULT_NAMESPACE),
    ({NAMESPACE_VARIABLE: "mdm-prod"}, "mdm-prod"),
])  # fmt: skip
def test_the_namespace_is_the_environments(environment, namespace):
    """An empty variable counts as not set, as that of any setting."""
    assert namespace_of(environment) == namespace


@pytest.mark.parametrize("name", ["AWS/Lambda", " ", "-x", "a:b", "a\nb", "n" * 256, "prod "])
def test_what_cloudwatch_would_drop_is_refused(name):
    """With the name of the variable, by functions and by the job on Glue."""
    with pytest.raises(ConfigurationError, match=NAMESPACE_VARIABLE) as refused:
        namespace_of({NAMESPACE_VARIABLE: name})
    assert "should be" in str(refused.value)
    with pytest.raises(ConfigurationError, match="MDM_METRICS_NAMESPACE"):
        JobSettings.from_environment({"MDM_WORKSPACE": "s3://b/p", "MDM_METRICS_NAMESPACE": name})
