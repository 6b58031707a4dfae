"""Values are shown by right: the policy says to whom, a flag only asks."""

from __future__ import annotations

import grp
import os
import pwd

import orjson
import pytest
from botocore.exceptions import NoCredentialsError

from mdm_stream.cli.view_rights import account_names, aws_names, sight
from mdm_stream.core.ruleset import Attribute
from mdm_stream.errors import ConfigurationError

ME = f"user:{pwd.getpwuid(os.geteuid()).pw_name}"
MY_GROUP = f"group:{grp.getgrgid(os.getegid()).gr_name}"
NAME = Attribute("name", "name")
BORN = Attribute("born", "date", sensitive=True)
MAIL = Attribute("mail", "email", sensitive=True)


def seen(viewers=None, *, reveal=True, values=True, own_stack=False):
    """Return which of three attributes are seen under a policy."""
    environment = {} if viewers is None else {"MDM_AUTHORITY": orjson.dumps({"viewers": viewers}).decode()}
    found = sight(reveal=reveal, values=values, own_stack=own_stack, environment=environment)
    return [attribute.name for attribute in (NAME, BORN, MAIL) if found.covers(attribute)]


def test_the_owner_of_a_local_stack_sees_what_is_asked_for():
    """Without a policy: all with the flag, and what is not sensitive without it."""
    assert seen(own_stack=True) == ["name", "born", "mail"]
    assert seen(own_stack=True, reveal=False) == ["name"]


def test_of_another_index_nobody_sees_sensitive_values_without_a_right():
    """The flag alone gives nothing: it is refused, with the setting that gives the right."""
    with pytest.raises(ConfigurationError, match="viewers in MDM_AUTHORITY"):
        seen()
    assert seen(reveal=False) == ["name"]


@pytest.mark.parametrize("name", [ME, MY_GROUP])
def test_an_account_or_group_has_what_the_policy_gives(name):
    """Single attributes, or all; several names add up; and no flag, no sensitive value."""
    assert seen({name: {"sensitive": ["born"]}}) == ["name", "born"]
    assert seen({name: {"sensitive": "*"}}) == ["name", "born", "mail"]
    assert seen({name: {"sensitive": "*"}}, reveal=False) == ["name"]
    assert seen({ME: {"sensitive": ["mail"]}, MY_GROUP: {"sensitive": ["born"]}}) == ["name", "born", "mail"]


def test_who_is_not_in_the_policy_sees_nothing():
    """A policy with viewers is whole: on a local stack too, others see no value."""
    others = {"user:somebody-else": {"sensitive": "*"}}
    assert seen(others, reveal=False, values=False, own_stack=True) == []
    with pytest.raises(ConfigurationError, match="no right to see values"):
        seen(others, reveal=False)
    with pytest.raises(ConfigurationError, match="no right to see values"):
        seen({ME: {"values": False}}, reveal=False)


def test_names_are_those_of_the_process_and_not_of_its_environment(monkeypatch):
    """No variable makes one person another."""
    for variable in ("USER", "LOGNAME", "SUDO_USER", "HOME"):
        monkeypatch.setenv(variable, "somebody-else")
    assert account_names()[0] == ME
    assert MY_GROUP in account_names()
    assert "user:somebody-else" not in account_names()


def test_aws_says_whose_credentials_they_are():
    """The principal is what STS answers; without credentials there is none."""

    class Sts:
        def get_caller_identity(self):
            return {"Arn": "arn:aws:sts::123456789012:assumed-role/steward/ann"}

    assert aws_names(Sts) == ["arn:aws:sts::123456789012:assumed-role/steward/ann"]

    def without():
        raise NoCredentialsError

    assert aws_names(without) == []
