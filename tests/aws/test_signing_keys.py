"""The keys with which events are signed, in Secrets Manager and in a folder."""

from __future__ import annotations

import base64

import boto3
import pytest
from moto import mock_aws

from mdm_stream.aws.signing_keys import read_signing_key, read_signing_keys
from mdm_stream.deployment import Deployment
from mdm_stream.errors import ConfigurationError

SECRET = bytes(range(32))


def no_client():
    """For keys that are on this machine."""
    raise AssertionError("AWS was asked")


def kept(folder, key_id, content=None, mode=0o600):
    """Keep a key in a folder."""
    path = folder / key_id
    path.write_bytes(base64.b64encode(SECRET) + b"\n" if content is None else content)
    path.chmod(mode)
    return path


@mock_aws
def test_from_secrets_manager():
    """As text in base64 or as bytes, one secret a key; only those that the policy names are read."""
    client = boto3.client("secretsmanager", region_name="us-east-1")
    client.create_secret(Name="mdm/shop", SecretString=base64.b64encode(SECRET).decode())
    client.create_secret(Name="mdm/crm", SecretBinary=SECRET)
    keys = read_signing_keys("secretsmanager:mdm/", ["shop", "crm"], lambda: client)
    assert {key_id: key.secret for key_id, key in keys.items()} == {"shop": SECRET, "crm": SECRET}
    with pytest.raises(ConfigurationError, match="no secret mdm/web"):
        read_signing_keys("secretsmanager:mdm/", ["web"], lambda: client)


@mock_aws
def test_a_deployment_reads_the_keys_that_its_policy_names(monkeypatch):
    """The settings lead to an authority that has them."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client = boto3.client("secretsmanager", region_name="us-east-1")
    client.create_secret(Name="mdm/shop", SecretBinary=SECRET)
    setting = '{"keys": {"shop": {"allowed_sources": ["shop"]}}}'
    named = Deployment(steward_stream="s", authority_setting=setting, signing_keys="secretsmanager:mdm/")
    assert named.authority().policy.keys["shop"].sources == {"shop"}
    with pytest.raises(ConfigurationError, match="MDM_SIGNING_KEYS"):
        Deployment(steward_stream="s", authority_setting=setting).authority()


def test_from_a_folder(tmp_path):
    """A file a key, for its owner alone; no error holds a byte of it."""
    path = kept(tmp_path, "shop")
    assert read_signing_keys(str(tmp_path), ["shop"], no_client)["shop"].secret == SECRET
    assert read_signing_keys(tmp_path.as_uri(), ["shop"], no_client)["shop"].secret == SECRET
    assert read_signing_key(path).key_id == "shop"
    assert read_signing_keys("", [], no_client) == {}
    for key_id, content, mode, complaint in (
        ("open", None, 0o644, "others may read.*chmod 600"),
        ("short", base64.b64encode(b"Wilhelmina"), 0o600, "too short"),
        ("torn", b"Wilhelmina!", 0o600, "not in base64"),
        ("absent/x", None, 0o600, "cannot read"),
    ):
        if "/" not in key_id:
            kept(tmp_path, key_id, content, mode)
        with pytest.raises(ConfigurationError, match=complaint) as caught:
            read_signing_keys(str(tmp_path), [key_id], no_client)
        assert "Wilhelmina" not in str(caught.value)
