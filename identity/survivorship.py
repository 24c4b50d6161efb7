"""Golden values: which of a cluster's values an attribute shows, and where each came from.

Rules per attribute: ``most_recent`` (time of observation), ``most_frequent`` (records that say it),
``trust`` (of the source), ``longest``. After the rule the others break ties in that order, then the value
and the record_key, so that the choice never depends on the order of rows. The fields of a group (an
address) come from one record: the one whose best observation of the group wins by the rule, preferring the
record with more of the group's fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import duckdb
import pyarrow as pa

from cdp.errors import UsageError, nearest

Rule = Literal["most_recent", "most_frequent", "trust", "longest"]
RULES: tuple[Rule, ...] = ("most_recent", "most_frequent", "trust", "longest")
DEFAULT_TRUST = 50
ATTRIBUTIONS = pa.schema(
    [
        ("cluster_id", pa.string()),
        ("attribute", pa.string()),
        ("value", pa.string()),
        ("source", pa.string()),
        ("record_key", pa.string()),
        ("observed_at", pa.timestamp("us", "UTC")),
        ("rule", pa.string()),
    ]
)


@dataclass(frozen=True)
class SurvivorshipPolicy:
    """``per_attribute`` also takes the name of a group.

    ``trust`` is 0 to 100 per source, 50 where not given.
    """

    default: Rule = "most_recent"
    per_attribute: Mapping[str, Rule] = field(default_factory=lambda: MappingProxyType({}))
    groups: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: MappingProxyType(
            {"address": ("street", "city", "region", "postcode", "country")}
        )
    )
    trust: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        """Refuse unknown rules and attributes that stand in two groups."""
        for rule in (self.default, *self.per_attribute.values()):
            if rule not in RULES:
                near = nearest(rule, RULES)
                raise UsageError(
                    f"unknown survivorship rule {rule!r}",
                    hint=f"nearest: {near}" if near else f"rules: {', '.join(RULES)}",
                )
        members = [name for fields in self.groups.values() for name in fields]
        twice = sorted({name for name in members if members.count(name) > 1})
        if twice:
            raise UsageError(f"{', '.join(twice)} stand in more than one survivorship group")


_ORDER: Mapping[Rule, str] = {
    "most_recent": "observed_at DESC NULLS LAST",
    "most_frequent": "frequency DESC",
    "trust": "trust DESC",
    "longest": "length DESC",
}


def _order(rule: Rule) -> str:
    return ", ".join([_ORDER[rule], *(_ORDER[other] for other in RULES if other != rule)])


def merge(
    values: pa.Table, clusters: pa.Table, policy: SurvivorshipPolicy | None = None
) -> tuple[pa.Table, pa.Table]:
    """Choose the golden value of every attribute of every cluster.

    Args:
        values: record_key, attribute, value, observed_at, source; many per record and attribute. Empty
            values count as absent; records that no cluster has are left out.
        clusters: record_key, cluster_id.
        policy: the rules.

    Returns: Profiles (cluster_id and one column per attribute, sorted by cluster_id, one row for every
        cluster) and attributions (see ATTRIBUTIONS; one row per golden value).
    """
    rules = policy or SurvivorshipPolicy()
    with duckdb.connect(":memory:") as con:
        con.register(
            "given_values", values.select(["record_key", "attribute", "value", "observed_at", "source"])
        )
        con.register("given_clusters", clusters.select(["record_key", "cluster_id"]))
        con.register(
            "given_trust",
            pa.table(
                {
                    "source": pa.array(rules.trust.keys(), pa.string()),
                    "trust": pa.array(rules.trust.values(), pa.int32()),
                }
            ),
        )
        con.register("given_fields", _fields(rules))
        con.execute("SET TimeZone = 'UTC'")
        con.execute(_CANDIDATES_SQL, {"default": DEFAULT_TRUST})
        names = [
            name for (name,) in con.sql("SELECT DISTINCT attribute FROM candidates ORDER BY 1").fetchall()
        ]
        grouped = {name for fields in rules.groups.values() for name in fields}
        parts = [
            _single_sql(rule, [n for n in names if n not in grouped and _rule(rules, n) == rule])
            for rule in RULES
        ]
        parts += [_group_sql(rules, group) for group in sorted(rules.groups)]
        chosen = con.sql(
            " UNION ALL ".join(part for part in parts if part) + " ORDER BY cluster_id, attribute"
        ).to_arrow_table()
        attributions = chosen.select(ATTRIBUTIONS.names).cast(ATTRIBUTIONS)
        con.register("chosen", attributions)
        columns = "".join(f", any_value(value) FILTER (attribute = {_quote(n)}) AS {_name(n)}" for n in names)
        profiles = con.sql(
            f"""SELECT cluster_id{columns} FROM (SELECT DISTINCT cluster_id FROM given_clusters)
                LEFT JOIN chosen USING (cluster_id) GROUP BY cluster_id ORDER BY cluster_id"""
        ).to_arrow_table()
        return profiles, attributions


def _rule(policy: SurvivorshipPolicy, name: str) -> Rule:
    return policy.per_attribute.get(name, policy.default)


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _fields(policy: SurvivorshipPolicy) -> pa.Table:
    rows = [(group, name) for group, fields in sorted(policy.groups.items()) for name in fields]
    return pa.table(
        {
            "grouping": pa.array([g for g, _ in rows], pa.string()),
            "attribute": pa.array([n for _, n in rows], pa.string()),
        }
    )


_CANDIDATES_SQL = """
CREATE TEMP TABLE candidates AS
SELECT c.cluster_id, v.attribute, v.value, v.record_key, v.source,
  max(v.observed_at) AS observed_at, max(coalesce(t.trust, $default)) AS trust, length(v.value) AS length,
  count(DISTINCT v.record_key) OVER (PARTITION BY c.cluster_id, v.attribute, v.value) AS frequency
FROM given_values v JOIN given_clusters c USING (record_key) LEFT JOIN given_trust t ON t.source = v.source
WHERE v.value IS NOT NULL AND trim(v.value) <> ''
GROUP BY c.cluster_id, v.attribute, v.value, v.record_key, v.source
"""
_COLUMNS = "cluster_id, attribute, value, source, record_key, observed_at"


def _single_sql(rule: Rule, names: list[str]) -> str:
    """The best value of each attribute on its own."""
    if not names:
        return ""
    return f"""
    (SELECT {_COLUMNS}, {_quote(rule)} AS rule FROM candidates
     WHERE attribute IN ({", ".join(map(_quote, names))})
     QUALIFY row_number() OVER (
       PARTITION BY cluster_id, attribute ORDER BY {_order(rule)}, value, record_key, source) = 1)"""


def _group_sql(policy: SurvivorshipPolicy, group: str) -> str:
    """All fields of a group from the record that wins.

    Of several values of a field in it, the best by the rule.
    """
    rule = _rule(policy, group)
    members = f"(SELECT attribute FROM given_fields WHERE grouping = {_quote(group)})"
    return f"""
    (SELECT {_COLUMNS}, {_quote(rule)} AS rule
     FROM (SELECT * FROM candidates WHERE attribute IN {members})
     SEMI JOIN (
       SELECT cluster_id, record_key FROM (
         SELECT cluster_id, record_key, max(observed_at) AS observed_at, max(frequency) AS frequency,
           max(trust) AS trust, sum(length) AS length, count(DISTINCT attribute) AS filled
         FROM candidates WHERE attribute IN {members} GROUP BY ALL)
       QUALIFY row_number() OVER (PARTITION BY cluster_id ORDER BY {_group_order(rule)}, record_key) = 1
     ) USING (cluster_id, record_key)
     QUALIFY row_number() OVER (
       PARTITION BY cluster_id, attribute ORDER BY {_order(rule)}, value, source) = 1)"""


def _group_order(rule: Rule) -> str:
    """The rule first, then how complete the group is, then the other rules."""
    return ", ".join([_ORDER[rule], "filled DESC", *(_ORDER[other] for other in RULES if other != rule)])
