"""Who may say what, as commands are told of it and tell it."""

from __future__ import annotations

import orjson

from mdm_stream.cli.machine import examine
from mdm_stream.cli.main import run


def test_up_refuses_a_policy_that_is_wrong_before_anything_is_started(tmp_path, capsys):
    """A document that is none, or keys that are not there: exit code 2, and no state folder."""
    policy, state = tmp_path / "authority.json", tmp_path / "state"
    for text, complaint in (
        ('{"streams": {"mdm-changes": {"allowed_op": []}}}', "allowed_op is no setting of it"),
        ('{"keys": {"shop-2026": {}}}', "cannot read the signing key"),
    ):
        policy.write_text(text)
        argv = ["up", "--state", str(state), "--authority", str(policy), "--signing-keys", str(tmp_path / "keys")]
        assert run(argv) == 2
        assert complaint in " ".join(capsys.readouterr().err.split())
    assert not state.exists()


def test_doctor_shows_the_policy_in_the_environment(monkeypatch):
    """Each stream and key with what it may bring; what is wrong with a policy; and what holds without one."""

    def shown():
        return next(check for check in examine() if check.name == "authority")

    monkeypatch.delenv("MDM_AUTHORITY", raising=False)
    assert "stream *: upsert, patch or delete of any source" in shown().found
    policy = {"streams": {"a": {"allowed_sources": ["crm"], "allowed_ops": ["patch"]}}, "signed_sources": ["shop"]}
    monkeypatch.setenv("MDM_AUTHORITY", orjson.dumps(policy).decode())
    assert "stream a: patch of crm" in shown().found
    assert "must be signed: shop" in shown().found
    monkeypatch.setenv("MDM_AUTHORITY", "{}}")
    assert shown().status == "failed"
    monkeypatch.setenv("MDM_AUTHORITY", '{"streams": {"s": {"allowed_ops": ["verdict", "redrive"]}}}')
    assert shown().status == "warning"
    assert "add upsert, patch and delete to s" in shown().advice
