"""The cache of a deployment, and whether its index was built by the F that this command has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mdm_stream.cli.machine import Check, index_server
from mdm_stream.core.f_version import f_digest, f_part
from mdm_stream.errors import ConfigurationError, MdmError
from mdm_stream.index.redis.client import open_client
from mdm_stream.index.redis.epochs import Epochs
from mdm_stream.rules import load_rulesets

_TIMEOUT_S = 5.0


def index(settings: Mapping[str, str]) -> Iterator[Check]:
    """Look at the cache that the settings of commands name, then at the epoch of each domain."""
    url = settings.get("MDM_REDIS_URL", "")
    if not url:
        return
    server = index_server(url)
    yield server
    if server.status != "ok":
        return
    try:
        rulesets = load_rulesets(tuple(settings.get("MDM_RULES", "").split(",")))
    except (ConfigurationError, MdmError) as error:
        advice = "run this where the rule sets are that the functions have"
        yield Check("epochs", "unknown", f"the rules cannot be read here: {error}", advice)
        return
    for domain, rules in sorted(rulesets.items()):
        name = f"epoch of {domain}"
        try:
            held = Epochs(open_client(url, _TIMEOUT_S), rules, settings.get("MDM_NAMESPACE", "main")).digest()
        except MdmError as error:
            yield Check(name, "unknown", str(error), "see docs/operate/cache.md")
            continue
        yield _epoch(name, held or "", rules.digest)


def _epoch(name: str, held: str, ours: str) -> Check:
    if not held:
        return Check(name, "warning", "there is no index yet", "the first batch makes it, or mdm-stream rebuild")
    if f_part(held) != f_digest():
        found = f"built by F {f_part(held)}, and this command has {f_digest()}"
        return Check(name, "warning", found, "use the command of that release, or rebuild: docs/operate/upgrading.md")
    if held != ours:
        advice = "use the rules that the functions have: docs/operate/rules-change.md"
        return Check(name, "warning", "built with other rules than these settings name", advice)
    return Check(name, "ok", f"of these rules and this F ({f_digest()})")
