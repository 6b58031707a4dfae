"""The commands of ``mdm-stream``: to add one, write its module and give it a line here.

A command's module is imported when the command runs, and not before, so that ``mdm-stream --help`` stays fast and a
command needs no more packages than its own.
"""

from __future__ import annotations

from typing import NamedTuple


class Listing(NamedTuple):
    """Where a command lives, as ``module:attribute`` of a ``click.Command``, and its line in ``--help``."""

    target: str
    summary: str


COMMANDS: dict[str, Listing] = {
    "demo": Listing(
        "mdm_stream.cli.commands.demo:demo", "Watch invented source systems become golden records, and measure it."
    ),
    "up": Listing("mdm_stream.cli.commands.up:up", "Run the local stack: Kinesis API, Redis, consumers, DuckDB."),
    "status": Listing(
        "mdm_stream.cli.commands.status:status",
        "Backlog, rates, golden records, dead letters, and what needs attention.",
    ),
    "env": Listing(
        "mdm_stream.cli.commands.env:env", "Print the environment that lets other programs use the local stack."
    ),
    "replay": Listing(
        "mdm_stream.cli.commands.replay:replay", "Run event files through the engine on Redis; write the result."
    ),
    "generate": Listing(
        "mdm_stream.cli.commands.generate:generate", "Write an invented population as event files, with its truth."
    ),
    "init": Listing("mdm_stream.cli.commands.init:init", "Draft rules for files of rows from what they hold."),
    "profile": Listing(
        "mdm_stream.cli.commands.profile:profile", "Find placeholders, and profile values and blocking."
    ),
    "evaluate": Listing(
        "mdm_stream.cli.commands.evaluate:evaluate", "Measure a crosswalk, or rules, against the truth."
    ),
    "show": Listing(
        "mdm_stream.cli.commands.show:show", "Show a golden record, or a source record, with its provenance."
    ),
    "explain": Listing(
        "mdm_stream.cli.commands.explain:explain",
        "Say why two records are together, and how a golden record came together.",
    ),
    "trace": Listing(
        "mdm_stream.cli.commands.trace:trace", "Follow an event to golden record and warehouse, and back from there."
    ),
    "review": Listing(
        "mdm_stream.cli.commands.review:review", "The review queue, most worth looking at first; decide on it."
    ),
    "override": Listing(
        "mdm_stream.cli.commands.override:override", "Set single attributes of a record above every rule."
    ),
    "hold": Listing(
        "mdm_stream.cli.commands.hold:hold", "Hold back every write to a domain, and show whether it is held."
    ),
    "release": Listing("mdm_stream.cli.commands.hold:release", "Let writing to a held domain go on."),
    "source": Listing(
        "mdm_stream.cli.commands.source:source", "Hold a whole source; take out what it sent between two moments."
    ),
    "rules": Listing(
        "mdm_stream.cli.commands.rules:rules", "Check, test, format, compare rule sets; put one to use, and go back."
    ),
    "contracts": Listing(
        "mdm_stream.cli.commands.contracts:contracts", "Print the wire contracts; say what a change of them breaks."
    ),
    "publish": Listing("mdm_stream.cli.commands.publish:publish", "Put the events of a file on the change stream."),
    "files": Listing(
        "mdm_stream.cli.commands.loads:files",
        "Loads of dropped files: list, show, release, fail, resume, redrive, job.",
    ),
    "capture": Listing(
        "mdm_stream.cli.commands.capture:capture", "Follow a PostgreSQL database's log; put its changes on the stream."
    ),
    "kcl": Listing(
        "mdm_stream.cli.commands.kcl:kcl", "The resolve consumer on a server, under the Kinesis Client Library."
    ),
    "dlq": Listing("mdm_stream.cli.commands.dlq:dlq", "Events that did not get through: list, show, redrive, drop."),
    "archive": Listing(
        "mdm_stream.cli.commands.archive:archive", "Look at the archive of accepted records, compact it, verify it."
    ),
    "bootstrap": Listing(
        "mdm_stream.cli.commands.bootstrap:bootstrap", "Make a domain's first index from its archive, and from files."
    ),
    "rebuild": Listing(
        "mdm_stream.cli.commands.rebuild:rebuild", "Make the index anew from the archive, and switch to it."
    ),
    "reconcile": Listing(
        "mdm_stream.cli.commands.reconcile:reconcile", "Recompute all on Spark; compare what is live, and repair it."
    ),
    "erase": Listing(
        "mdm_stream.cli.commands.erase:erase", "Erase a record from every store, or prove that nothing is left."
    ),
    "sql": Listing("mdm_stream.cli.commands.sql:sql", "Ask the local warehouse a question in SQL, at any time."),
    "export": Listing(
        "mdm_stream.cli.commands.export:export", "Write tables of the local warehouse as Parquet or CSV files."
    ),
    "warehouse": Listing(
        "mdm_stream.cli.commands.warehouse:warehouse", "The warehouse: migrate its schema, rebuild it, its cost."
    ),
    "capacity": Listing(
        "mdm_stream.cli.commands.capacity:capacity", "How large a deployment has to be for a volume, and its bill."
    ),
    "feed": Listing("mdm_stream.cli.commands.feed:feed", "The golden feed: take snapshots that outlive its stream."),
    "api": Listing("mdm_stream.cli.commands.api:api", "The events API of the local stack: tokens for its callers."),
    "doctor": Listing("mdm_stream.cli.commands.doctor:doctor", "Find out whether this machine or a deployment is fit."),
}
