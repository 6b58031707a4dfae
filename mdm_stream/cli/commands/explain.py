"""``mdm-stream explain``: why two records are one golden record, or are not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from mdm_stream.cli.commands.show import print_overrides_set_aside, ref_of, size_of, text_of
from mdm_stream.cli.index_options import index_options, open_index, reveal_option
from mdm_stream.cli.output import print_json, print_table, say


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--values", is_flag=True, help="Show the values of both side by side.")
@reveal_option
@index_options
def explain(
    *,
    a: str,
    b: str,
    values: bool,
    state: Path,
    redis_url: str | None,
    namespace: str,
    rules: tuple[str, ...],
    domain: str | None,
    reveal: bool,
    as_json: bool,
) -> None:
    """Say whether A and B are together, and why: shared blocking keys, evidence, decision, and the links between.

    A and B are records (SOURCE/ID) or golden ids, which stand for the record that they are named after. Values are
    shown with --values, those of sensitive attributes with --reveal too.
    """
    from mdm_stream.steward.inspect import explain_names  # noqa: PLC0415 - --help does without

    index, ruleset = open_index(state, redis_url, namespace, rules, domain)
    document = explain_names(index, ruleset, (a, b), values=values, reveal=reveal).document()
    if as_json:
        print_json(document)
    else:
        print_explanation(document)


def print_explanation(document: Mapping[str, Any]) -> None:
    """Write an explanation for people: the conclusion first, then what it rests on."""
    from mdm_stream.steward.explain import CONCLUSIONS  # noqa: PLC0415 - --help does without

    a, b = document["a"], document["b"]
    say(f"{ref_of(a)} and {ref_of(b)}: {CONCLUSIONS[document['conclusion']]}")
    for side in (a, b):
        held = f"golden record {side['golden_id']}" if side["golden_id"] else f"no golden record ({side['status']})"
        say(f"  {ref_of(side)}: {held}")
        print_overrides_set_aside(side)
    verdict = document["verdict"]
    if verdict is not None:
        say(f"Verdict: {verdict['verdict']}, by {verdict['steward']}, version {verdict['version']}")
    say(f"Decision on the pair: {document['decision']}, by {document['decided_by'].replace('_', ' ')}")
    _print_keys(document)
    if document["score"]:
        _print_score(document["score"])
    if document["path"]:
        _print_links(document)
    if "values" in document:
        rows = [(name, *("" if v is None else text_of(v) for v in pair)) for name, pair in document["values"].items()]
        print_table("Values", ("attribute", ref_of(a), ref_of(b)), rows, texts=True)


def _print_keys(document: Mapping[str, Any]) -> None:
    keys = document["shared_keys"]
    if not keys:
        say("Shared blocking keys: none")
        return
    rows = [(each["expression"], each.get("key", ""), size_of(each)) for each in keys]
    if "key" in keys[0]:
        print_table("Shared blocking keys", ("blocking key", "value", "records"), rows, texts=True)
    else:
        print_table("Shared blocking keys", ("blocking key", "records"), [(row[0], row[2]) for row in rows], texts=True)


def _print_score(score: Mapping[str, Any]) -> None:
    rule = score["rule"]
    if rule is not None:
        means = "links" if rule["link"] else "keeps apart"
        say(f"Deterministic rule {rule['name']!r} {means}; the comparisons below did not count")
    rows = []
    if score["method"] == "fellegi_sunter":
        headings = ("evidence", "level", "bits")
        rows.append(("prior", "", f"{score['prior_bits']:+.2f}"))
        rows += [(each["name"], each["level"], f"{each['bits']:+.2f}") for each in score["comparisons"]]
        rows.append(("total" if rule is None else "rule", "", f"{score['weight']:+.2f}"))
    else:
        headings = ("evidence", "similarity", "weight")
        rows += [
            (
                each["name"],
                "missing" if each["similarity"] is None else f"{each['similarity']:.3f}",
                f"{each['weight']:g}",
            )
            for each in score["comparisons"]
        ]
    print_table("Evidence", headings, rows)
    confidence = "none, as nothing could be compared" if score["confidence"] is None else f"{score['confidence']:.6f}"
    thresholds = score["thresholds"]
    say(f"Confidence: {confidence} (links from {thresholds['link']}, review from {thresholds['review']})")


def _print_links(document: Mapping[str, Any]) -> None:
    links = document["path"]
    if document["link"] and document["link"] not in links:
        links = [document["link"], *links]
    rows = [
        (
            f"{ref_of(link['a'])} - {ref_of(link['b'])}",
            link["decided_by"],
            f"{link['confidence']:.6f}",
            f"{link['weight_bits']:+.2f}",
            _clustering(link["refused"]),
        )
        for link in links
    ]
    print_table("Links between them", ("link", "by", "confidence", "bits", "clustering"), rows, texts=True)


def _clustering(refused: Mapping[str, Any] | None) -> str:
    """Return what clustering did with a link, and why."""
    if refused is None:
        return "followed"
    if refused["reason"] in {"separated", "contradiction"}:
        pairs = ", ".join(f"{ref_of(a)} and {ref_of(b)}" for a, b in refused["separated"])
        more = refused["separated_count"] - len(refused["separated"])
        pairs += f" and {more:,} more pairs" if more else ""
        against = "a verdict separates" if refused["reason"] == "separated" else "it contradicts one that separates"
        return f"refused: {against} {pairs}"
    if refused["reason"] == "exclusive":
        return f"refused: the two sides differ in {', '.join(refused['exclusive'])}, which is exclusive"
    left, right = refused["sizes"]
    return f"refused: {left:,} and {right:,} members are more than the {refused['max_cluster_size']:,} that may be"
