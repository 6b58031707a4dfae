"""A cache without a password: the address asks for tokens of the process's AWS account, and each connection has one.

No cache of AWS is asked here; that a cluster is asked with user and token is in ``test_cluster_tls``.
"""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
import redis

from mdm_stream.errors import ConfigurationError
from mdm_stream.index.redis.client import open_client
from mdm_stream.index.redis.iam import IamTokens, address_of


@pytest.fixture
def account(monkeypatch, tmp_path) -> None:
    """AWS credentials of the process, and none of the machine's."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "session",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)


def test_an_address_without_iam_is_as_it_was():
    """Nothing of it is read, whatever else it says."""
    url = "rediss://mdm:p%40ss@cache:6379/0?ssl_ca_certs=/ca.pem"
    assert address_of(url) == (url, None)


def test_user_and_iam_leave_the_address_and_the_rest_stays():
    """The client of redis takes tokens only where the address has neither user nor password."""
    found = address_of("rediss://mdm@cache.example:6379/0?iam=elasticache:mdm-prod&ssl_ca_certs=%2Fca.pem")
    assert found.url == "rediss://cache.example:6379/0?ssl_ca_certs=%2Fca.pem"
    assert found.tokens is not None


@pytest.mark.parametrize(
    "url",
    [
        "rediss://mdm@cache:6379/0?iam=",
        "rediss://mdm@cache:6379/0?iam=mdm-prod",
        "rediss://mdm@cache:6379/0?iam=elasticache:MDM/x",
        "rediss://mdm@cache:6379/0?iam=elasticache:a&iam=memorydb:a",
        "redis://mdm@cache:6379/0?iam=elasticache:mdm-prod",
        "rediss://cache:6379/0?iam=elasticache:mdm-prod",
        "rediss://mdm:hidden@cache:6379/0?iam=elasticache:mdm-prod",
    ],
)
def test_what_cannot_be_asked_for_is_refused_before_anything_is_opened(url):
    """The error says what to write, and repeats nothing of the address."""
    with pytest.raises(ConfigurationError, match="iam") as refused:
        open_client(url)
    assert "hidden" not in str(refused.value)
    assert "cache:6379" not in str(refused.value)


@pytest.mark.parametrize("service", ["elasticache", "memorydb"])
def test_a_token_is_a_signed_request_to_connect(account, service):
    """Its form is the one that AWS documents: host is the cache's id, and there is no scheme."""
    user, token = IamTokens(service, "mdm-prod", "mdm").get_credentials()
    assert user == "mdm"
    signed = urlsplit(f"//{token}")
    assert (signed.netloc, signed.path) == ("mdm-prod", "/")
    said = {name: values[0] for name, values in parse_qs(signed.query).items()}
    assert (said["Action"], said["User"], said["X-Amz-Expires"]) == ("connect", "mdm", "900")
    assert said["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert said["X-Amz-SignedHeaders"] == "host"
    assert said["X-Amz-Security-Token"] == "session"
    key, _, region, signed_for, _ = said["X-Amz-Credential"].split("/")
    assert (key, region, signed_for) == ("AKIDEXAMPLE", "eu-central-1", service)
    assert len(said["X-Amz-Signature"]) == 64


def test_a_process_without_credentials_fails_as_one_whose_cache_is_away(account, monkeypatch):
    """So a batch fails in part, and goes on once the role is there."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(redis.ConnectionError, match="no AWS credentials"):
        IamTokens("elasticache", "mdm-prod", "mdm").get_credentials()
