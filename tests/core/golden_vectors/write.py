"""Write the golden vectors anew: ``make vectors``, or ``python tests/core/golden_vectors/write.py``.

Refuses to write other outputs under the identity under which the present ones were written: then an index of the old F
would be taken for one of the new. Raise ``F_VERSION`` in ``mdm_stream/core/f_version.py`` first.
"""

from __future__ import annotations

import json
import sys

import vectors as v


def main() -> int:
    """Write all files, or say why not; return the exit code."""
    before = v.stored_identity()
    made = v.make()
    identity = v.identity_of(made)
    if before:
        refused = [each for each in v.changed(v.stored()) if not is_allowed(each, before, identity)]
        if refused:
            print(f"{len(refused):,} vectors changed and F's identity did not; the first:\n{refused[0]}\n")
            print("raise F_VERSION in mdm_stream/core/f_version.py, then write the vectors; or revert the change")
            return 1
    for file, sections in made.items():
        (v.FOLDER / f"{file}.json").write_text(v.written(sections), "ascii")
    (v.FOLDER / "identity.json").write_text(json.dumps(identity, indent=1) + "\n", "ascii")
    count = sum(len(entries) for sections in made.values() for entries in sections.values())
    print(f"{count:,} vectors written under F {identity['f_digest']}")
    return 0


def is_allowed(difference: v.Difference, before: dict, now: dict) -> bool:
    """Return whether a changed output has its reason in another F, or in other rules where rules have a part in it."""
    domain = v.depends_on_rules(difference)
    other_rules = domain is not None and before["rules"][domain] != now["rules"][domain]
    return other_rules or before["f_digest"] != now["f_digest"]


if __name__ == "__main__":
    sys.exit(main())
