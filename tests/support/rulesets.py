"""Small compiled rule sets for the decoders' tests: only what decoding reads of them."""

from mdm_stream.core.ruleset import Attribute, Match, Ruleset, Source


def ruleset(domain, attributes, *sources):
    """A rule set with these attributes (names) and sources that neither blocks nor scores."""
    return Ruleset(
        domain=domain,
        version=1,
        digest="0" * 32,
        attributes=tuple(Attribute(name, "text") for name in attributes),
        sources={source.name: source for source in sources},
        blocking=(),
        max_block_size=100,
        max_cluster_size=100,
        match=Match("fellegi_sunter", 0.01, 0.85, 0.5, (), ()),
        survivorship=(),
    )


PERSON = ("given_name", "family_name", "city", "email")

PERSONS = {
    "person": ruleset(
        "person",
        PERSON,
        Source("web"),
        Source("counted", version_kind="integer"),
        Source("logged", version_kind="text"),
        Source("streamed", version_kind="position"),
        Source("crm", "debezium", "public.customer", ("id",), columns={"given_name": ("first",), "city": ("town",)}),
        Source("shop", "postgres", "public.buyer", ("id",), columns={"given_name": ("first",), "city": ("town",)}),
        Source("erp", "dms", "sales.client", ("company", "client_no"), columns={"family_name": ("name1", "name2")}),
        Source("app", "dynamodb", "customers", ("pk",), columns={"given_name": ("first",), "city": ("home.town",)}),
        Source("till", "maxwell", "shop.customer", ("id",), columns={"given_name": ("first",)}),
        Source("loyalty", "dsql", "public.member", ("id",), columns={"given_name": ("first",)}),
    ),
}
"""One domain with a source of every wire format."""
