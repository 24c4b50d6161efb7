"""Signs of wrong customers that need no truth.

Over-merged: one customer with many given names, birth dates far apart, several unique ids. Under-merged: the
same e-mail and name, phone and name, or name and birth date at several customers. A sign is no proof: families
share phones, typing errors make dates differ; the counts say where to look, and the examples what is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.evaluation import MEMORY_LIMIT
from identity.evaluation.facts import Facts
from identity.normalise.nicknames import distinct_names

if TYPE_CHECKING:
    import duckdb

MOST_NAMES = 3
YEARS_APART = 10
_UNIQUE_TYPES = ("user_id", "national_id", "external_id")
_SHARED = (("email", "name"), ("phone", "name"), ("name", "birth_date"))


@dataclass(frozen=True)
class Example:
    """One customer, or the customers that share ``values``: each value is (field, text); ``records`` counts."""

    customers: tuple[str, ...]
    records: int
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Finding:
    """One sign: how many customers show it, how many records these have, and examples, the strongest first.

    ``values``: for under-merges, how many values are shared; else 0.
    """

    check: str
    about: str
    customers: int
    records: int
    values: int
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class LargeCustomer:
    """One of the customers with most records."""

    customer: str
    records: int
    sources: int
    given_names: int
    surnames: int
    birth_dates: int
    lowest_probability: float | None


@dataclass(frozen=True)
class Diagnostics:
    """Counts and signs of one partition of records into customers."""

    records: int
    customers: int
    alone: int
    over_merged: tuple[Finding, ...]
    under_merged: tuple[Finding, ...]
    largest: tuple[LargeCustomer, ...]

    def to_dict(self) -> dict[str, Any]:
        """The diagnostics as plain data."""
        return asdict(self)


def diagnose(clusters: pa.Table, facts: Facts, *, examples: int = 3, largest: int = 5) -> Diagnostics:
    """Look for signs of wrong customers in ``clusters`` (record_key, cluster_id[, match_probability]).

    Records without a row in ``clusters`` are customers of their own. A sign whose fields nobody has is left out.
    """
    from cdp.duck import connect

    with connect(memory_limit=MEMORY_LIMIT) as con:
        con.register("members", members(clusters, facts))
        con.register("facts", facts.table)
        con.execute(_SETUP)
        records, customers, alone = con.sql(
            "SELECT coalesce(sum(n), 0)::BIGINT, count(*), count(*) FILTER (n = 1) FROM sizes"
        ).fetchall()[0]
        fields = {row[0] for row in con.sql("SELECT DISTINCT field FROM facts").fetchall()}
        over = [_given_names(con, examples)] if "given_name" in fields else []
        over += _birth_dates(con, examples) if "birth_date" in fields else []
        over += _unique_ids(con, sorted(fields), examples)
        under = [_shared(con, pair, examples) for pair in _SHARED if fields >= set(pair)]
        return Diagnostics(records, customers, alone, tuple(over), tuple(under), _largest(con, largest))


def members(clusters: pa.Table, facts: Facts) -> pa.Table:
    """Return (record, source, customer, probability), one row per record of ``facts``."""
    keys = clusters["record_key"].cast(pa.string()).combine_chunks()
    places = pc.index_in(facts.keys, value_set=keys)
    customer = pc.coalesce(clusters["cluster_id"].cast(pa.string()).combine_chunks().take(places), facts.keys)
    chance = (
        clusters["match_probability"].cast(pa.float64()).combine_chunks().take(places)
        if "match_probability" in clusters.column_names
        else pa.nulls(len(facts.keys), pa.float64())
    )
    rows = pa.array(np.arange(len(facts.keys), dtype=np.int32))
    return pa.table([rows, facts.sources, customer, chance], ["record", "source", "customer", "probability"])


_SETUP = """
CREATE TEMP TABLE belongs AS SELECT record, source, customer, probability FROM members;
CREATE TEMP TABLE sizes AS SELECT customer, count(*) AS n FROM belongs GROUP BY ALL;
CREATE TEMP TABLE told AS
SELECT b.customer, f.record, f.field, f.value, f.norm
FROM facts f JOIN belongs b USING (record) JOIN sizes s USING (customer) WHERE s.n > 1
"""


def _given_names(con: duckdb.DuckDBPyConnection, most: int) -> Finding:
    rows = con.sql(
        f"""SELECT customer, n, list(DISTINCT norm ORDER BY norm) AS given
            FROM told JOIN sizes USING (customer) WHERE field = 'given_name' AND length(norm) > 1
            GROUP BY ALL HAVING count(DISTINCT norm) > {MOST_NAMES} ORDER BY customer"""
    ).fetchall()
    found = [
        (customer, n, kinds)
        for customer, n, given in rows
        if len(kinds := distinct_names(given)) > MOST_NAMES
    ]
    found.sort(key=lambda row: (-len(row[2]), -row[1], row[0]))
    shown = [Example((c,), n, tuple(("given_name", name) for name in kinds)) for c, n, kinds in found[:most]]
    about = f"more than {MOST_NAMES} given names that are no spellings or short forms of each other"
    return Finding("given_names", about, len(found), sum(row[1] for row in found), 0, tuple(shown))


def _birth_dates(con: duckdb.DuckDBPyConnection, most: int) -> list[Finding]:
    con.execute(_DATES)
    several = "several birth dates (typing errors included)"
    apart = f"birth dates more than {YEARS_APART} years and two digits apart"
    return [
        _from_rows("birth_dates", several, con, "SELECT * FROM dated", most),
        _from_rows("birth_dates_apart", apart, con, "SELECT * FROM dated WHERE apart", most),
    ]


_DATES = f"""
CREATE TEMP TABLE dates AS
SELECT DISTINCT customer, norm FROM told WHERE field = 'birth_date' AND norm SIMILAR TO '[0-9]{{8}}';
CREATE TEMP TABLE dated AS
SELECT d.customer, n, count(DISTINCT d.norm) AS strength, list(DISTINCT d.norm ORDER BY d.norm) AS texts,
  'birth_date' AS field,
  bool_or(abs(d.norm[1:4]::INT - e.norm[1:4]::INT) > {YEARS_APART} AND hamming(d.norm, e.norm) > 2) AS apart
FROM dates d JOIN dates e USING (customer) JOIN sizes USING (customer)
GROUP BY ALL HAVING count(DISTINCT d.norm) > 1
"""


def _unique_ids(con: duckdb.DuckDBPyConnection, fields: Sequence[str], most: int) -> list[Finding]:
    chosen = [field for field in fields if field.partition("/")[0] in _UNIQUE_TYPES]
    return [
        _from_rows(
            field,
            f"several values of {field.replace('/', ' ')}",
            con,
            f"""SELECT customer, n, count(DISTINCT norm) AS strength, list(DISTINCT norm ORDER BY norm) AS texts,
                       field
                FROM told JOIN sizes USING (customer) WHERE field = '{field.replace("'", "''")}'
                GROUP BY ALL HAVING count(DISTINCT norm) > 1""",
            most,
        )
        for field in chosen
    ]


def _from_rows(check: str, about: str, con: duckdb.DuckDBPyConnection, rows: str, most: int) -> Finding:
    """Make a finding of rows (customer, n, strength, texts, field)."""
    customers, records = con.sql(f"SELECT count(*), coalesce(sum(n), 0)::BIGINT FROM ({rows})").fetchall()[0]
    best = con.sql(
        f"SELECT customer, n, texts, field FROM ({rows}) ORDER BY strength DESC, n DESC, customer LIMIT {most}"
    ).fetchall()
    shown = tuple(Example((c,), n, tuple((field, text) for text in texts)) for c, n, texts, field in best)
    return Finding(check, about, customers, records, 0, shown)


def _shared(con: duckdb.DuckDBPyConnection, fields: Sequence[str], most: int) -> Finding:
    """Find values of two fields, said together by records of several customers."""
    one, two = fields
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE shared AS
            SELECT a.norm AS first_value, b.norm AS second_value, count(DISTINCT customer) AS customers,
              count(DISTINCT a.record) AS records, list(DISTINCT customer ORDER BY customer) AS who
            FROM (SELECT record, norm FROM facts WHERE field = '{one}') a
            JOIN (SELECT record, norm FROM facts WHERE field = '{two}') b USING (record)
            JOIN belongs USING (record)
            GROUP BY ALL HAVING count(DISTINCT customer) > 1"""
    )
    (values,) = con.sql("SELECT count(*) FROM shared").fetchall()[0]
    customers, records = con.sql(
        """SELECT count(*), coalesce(sum(n), 0)::BIGINT
           FROM (SELECT DISTINCT unnest(who) AS customer FROM shared) JOIN sizes USING (customer)"""
    ).fetchall()[0]
    best = con.sql(
        f"""SELECT who, records, first_value, second_value FROM shared
            ORDER BY customers DESC, records DESC, first_value, second_value LIMIT {most}"""
    ).fetchall()
    shown = tuple(Example(tuple(who), n, ((one, first), (two, second))) for who, n, first, second in best)
    about = f"same {_spoken(one)} and {_spoken(two)} at several customers"
    return Finding(f"{one}+{two}", about, customers, records, values, shown)


def _spoken(field: str) -> str:
    return {"email": "e-mail"}.get(field, field.replace("_", " "))


def _largest(con: duckdb.DuckDBPyConnection, most: int) -> tuple[LargeCustomer, ...]:
    rows = con.sql(
        f"""WITH top AS (SELECT customer, n FROM sizes WHERE n > 1 ORDER BY n DESC, customer LIMIT {most}),
            kinds AS (SELECT customer, count(DISTINCT norm) FILTER (field = 'given_name') AS given,
                count(DISTINCT norm) FILTER (field = 'surname') AS surnames,
                count(DISTINCT norm) FILTER (field = 'birth_date') AS dates
              FROM told SEMI JOIN top USING (customer) GROUP BY ALL),
            held AS (SELECT customer, count(DISTINCT source) AS sources, min(probability) AS lowest
              FROM belongs SEMI JOIN top USING (customer) GROUP BY ALL)
            SELECT customer, n, sources, coalesce(given, 0), coalesce(surnames, 0), coalesce(dates, 0), lowest
            FROM top JOIN held USING (customer) LEFT JOIN kinds USING (customer) ORDER BY n DESC, customer"""
    ).fetchall()
    return tuple(LargeCustomer(*row) for row in rows)
