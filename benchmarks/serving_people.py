# ruff: noqa: E501 - SQL inside strings reads best in its own lines
"""Made-up people for a big release, and their identity: records, identifiers, golden values, evidence.

Everything is a function of a number and a salt (``rnd``), so that equal sizes give equal tables. Names, towns
and streets are drawn as skewed as real ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.vocabulary import DOMAINS, vocabulary

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import duckdb

TABLES: Final = ("id_map", "record_identifiers", "attributions", "evidence", "clusters", "held_back",
                 "redirects", "id_changes", "quality")  # fmt: skip
# Which share of the known customers a source knows.
SOURCES: Final = {"web": 0.50, "shop": 0.33, "mail": 0.40, "contacts": 0.18, "calls": 0.10, "support": 0.08,
                  "social": 0.06}  # fmt: skip

# Salts of one number are neighbours, which a hash tears apart; hash(number, salt) would only xor them.
_MACROS: Final = """
CREATE MACRO rnd(number, salt) AS (hash(number::BIGINT * 64 + salt) >> 11)::DOUBLE / 9007199254740992.0;
CREATE MACRO pick(list, share) AS list[1 + (len(list) * share)::DOUBLE::BIGINT % len(list)];
"""

_PEOPLE: Final = """
CREATE TABLE people AS
WITH named AS (
    SELECT *, printf('C%08d', c + 1) AS customer_id, c % 97 = 5 AS family_mail, rnd(c, 1) > 0.15 AS known,
        lower(plain_given || '.' || replace(plain_surname, ' ', '') || to_base(c, 36) || '@' || domain) AS own_mail,
        printf('+4477%d%07d', 1 + (c * 7368787 % 89999999) // 10000000, (c * 7368787 % 89999999) % 10000000) AS phone,
        rnd(city_no, 2) * 8.0 + 50.2 AS city_latitude, rnd(city_no, 3) * 6.4 - 4.9 AS city_longitude
    FROM words
)
SELECT n.*, coalesce(o.own_mail, n.own_mail) AS email,
    DATE '1938-01-01' + (rnd(c, 4) * 25000)::INTEGER AS birth_date,
    given || ' ' || surname AS full_name,
    lower(plain_given || '_' || plain_surname || to_base(c, 36)) AS handle,
    upper(city[1:2]) || (1 + city_no % 20) || ' ' || (1 + street_no % 9) || 'AB' AS postcode,
    pick(['GB', 'GB', 'GB', 'GB', 'GB', 'GB', 'GB', 'IE', 'FR', 'DE', 'US'], rnd(city_no, 5)) AS country,
    pick(['en', 'en', 'en', 'en', 'en', 'en', 'fr', 'de', 'es', 'pl'], rnd(c, 6)) AS language,
    pick(['England', 'Scotland', 'Wales', 'Northern Ireland'], pow(rnd(city_no, 7), 3)) AS region
FROM named AS n LEFT JOIN (SELECT c + 1 AS member, own_mail FROM named) AS o ON n.family_mail AND o.member = n.c;
"""

_RECORDS: Final = """
CREATE TABLE records AS
WITH flags AS (
    SELECT c, customer_id, known, email, phone, handle, unnest(list_filter([
        CASE WHEN NOT known OR rnd(c, 10) < {web} THEN 'web' END,
        CASE WHEN known AND rnd(c, 11) < {shop} THEN 'shop' END,
        CASE WHEN known AND rnd(c, 12) < {mail} AND NOT family_mail THEN 'mail' END,
        CASE WHEN known AND (rnd(c, 13) < {contacts} OR (rnd(c, 10) >= {web} AND rnd(c, 11) >= {shop}
            AND (rnd(c, 12) >= {mail} OR family_mail))) THEN 'contacts' END,
        CASE WHEN known AND rnd(c, 14) < {calls} THEN 'calls' END,
        CASE WHEN known AND rnd(c, 15) < {support} THEN 'support' END,
        CASE WHEN known AND rnd(c, 16) < {social} THEN 'social' END
    ], lambda name: name IS NOT NULL)) AS source FROM people
),
keyed AS (
    SELECT *, source || ':' || CASE source
        WHEN 'web' THEN CASE WHEN known THEN 'u' || c ELSE anonymous END
        WHEN 'shop' THEN printf('S%07d', c) WHEN 'mail' THEN email WHEN 'contacts' THEN printf('C1%07d', c)
        WHEN 'calls' THEN phone WHEN 'support' THEN printf('Z%07d', c) ELSE handle END AS record_key
    FROM (SELECT *, printf('%016x-%08x', hash(c * 64 + 20), c) AS anonymous FROM flags)
),
begun AS (
    SELECT *, (list_position({names}, source)) AS source_no, c * 8 + list_position({names}, source) AS n,
        $now - INTERVAL 1 DAY - to_seconds((86400 * 1094 * (1 - pow(rnd(c, 21), 0.8)
            * (0.6 + 0.4 * rnd(c * 8 + list_position({names}, source) + 1000000000, 22))))::BIGINT) AS start_at
    FROM keyed
)
SELECT * EXCLUDE (n), start_at + to_seconds((date_diff('second', start_at, $now - INTERVAL 1 DAY)
        * CASE WHEN rnd(c, 23) < 0.35 THEN 1.0 ELSE pow(rnd(n + 1000000000, 24), 0.7) END)::BIGINT) AS end_at,
    row_number() OVER (PARTITION BY source ORDER BY hash(n)) - 1 AS place
FROM begun;
"""

_IDENTITY: Final = """
CREATE VIEW id_map AS SELECT record_key, customer_id FROM records;

CREATE VIEW clusters AS SELECT record_key, customer_id AS cluster_id,
    CASE WHEN count(*) OVER (PARTITION BY c) > 1 THEN 1 - pow(rnd(c, 25), 6) * 0.3 END AS match_probability FROM records;

CREATE VIEW record_identifiers AS
SELECT record_key, source, i.type, i.namespace, i.value, start_at AS first_seen_at, end_at AS last_seen_at
FROM (SELECT *, unnest(list_filter(CASE source
    WHEN 'web' THEN [{type: 'anonymous_id', namespace: 'web', value: anonymous},
        {type: 'user_id', namespace: 'web', value: CASE WHEN known THEN 'u' || c END},
        {type: 'email', namespace: '', value: CASE WHEN known AND rnd(c, 26) < 0.6 THEN email END}]
    WHEN 'shop' THEN [{type: 'external_id', namespace: 'shop', value: printf('S%07d', c)},
        {type: 'email', namespace: '', value: email},
        {type: 'phone', namespace: '', value: CASE WHEN rnd(c, 27) < 0.5 THEN phone END}]
    WHEN 'mail' THEN [{type: 'email', namespace: '', value: email}]
    WHEN 'contacts' THEN [{type: 'external_id', namespace: 'crm', value: printf('C1%07d', c)},
        {type: 'email', namespace: '', value: CASE WHEN rnd(c, 28) < 0.9 THEN email END},
        {type: 'email', namespace: '', value: CASE WHEN rnd(c, 29) < 0.1 THEN 'old.' || email END},
        {type: 'phone', namespace: '', value: CASE WHEN rnd(c, 30) < 0.7 THEN phone END}]
    WHEN 'calls' THEN [{type: 'phone', namespace: '', value: phone}]
    WHEN 'support' THEN [{type: 'external_id', namespace: 'support', value: printf('Z%07d', c)},
        {type: 'email', namespace: '', value: email}]
    ELSE [{type: 'handle', namespace: 'social', value: handle}] END, lambda x: x.value IS NOT NULL)) AS i FROM records);

CREATE VIEW best AS SELECT c, min_by(record_key, rank) AS record_key, min_by(source, rank) AS source, max(end_at) AS seen_at
FROM (SELECT *, list_position(['contacts', 'shop', 'web', 'support', 'mail', 'calls', 'social'], source) AS rank
    FROM records WHERE known) GROUP BY c;

CREATE VIEW attributions AS
SELECT record_key, v.attribute, v.value, source, seen_at AS observed_at, 'most_recent' AS rule
FROM (SELECT b.record_key, b.source, b.seen_at, unnest(list_filter([
    {attribute: 'full_name', value: full_name}, {attribute: 'given_name', value: given},
    {attribute: 'surname', value: surname}, {attribute: 'email', value: email},
    {attribute: 'phone', value: CASE WHEN rnd(p.c, 31) < 0.6 THEN phone END},
    {attribute: 'birth_date', value: CASE WHEN rnd(p.c, 32) < 0.4 THEN birth_date::VARCHAR END},
    {attribute: 'street', value: CASE WHEN rnd(p.c, 33) < 0.5 THEN (1 + p.c % 180) || ' ' || street END},
    {attribute: 'city', value: CASE WHEN rnd(p.c, 34) < 0.8 THEN city END},
    {attribute: 'region', value: CASE WHEN rnd(p.c, 33) < 0.4 THEN region END},
    {attribute: 'postcode', value: CASE WHEN rnd(p.c, 33) < 0.5 THEN postcode END},
    {attribute: 'country', value: country}, {attribute: 'language', value: language}
], lambda x: x.value IS NOT NULL)) AS v FROM people AS p JOIN best AS b USING (c));

CREATE VIEW evidence AS
SELECT least(r.record_key, b.record_key) AS left_record, greatest(r.record_key, b.record_key) AS right_record,
    CASE WHEN weight > 15 THEN 'deterministic' ELSE 'probabilistic' END AS kind, weight AS match_weight,
    1 / (1 + pow(2, -weight)) AS match_probability,
    'same surname (weight ' || round(weight + 6, 1) || '); same given name (weight 5.8)' AS reason,
    [{comparison: 'prior', level: 'two records taken at random', weight: -11.8},
     {comparison: 'surname', level: 'same', weight: round(weight + 6, 3)},
     {comparison: 'given name', level: 'same', weight: 5.8}] AS levels
FROM (SELECT *, round(6 + 20 * rnd(c * 8 + source_no, 35), 3) AS weight FROM records) AS r
JOIN best AS b ON b.c = r.c AND b.record_key <> r.record_key
UNION ALL
SELECT least(l.record_key, r.record_key), greatest(l.record_key, r.record_key), 'probabilistic', -1.5, 0.26,
    'same email (weight 7.1); other given name (weight -5.2)', [{comparison: 'email', level: 'same', weight: 7.1},
    {comparison: 'given name', level: 'different', weight: -8.6}]
FROM people AS p JOIN best AS l ON l.c = p.c JOIN best AS r ON r.c = p.c - 1 WHERE p.family_mail;

CREATE VIEW held_back AS SELECT 'identifier' AS what, 'email' AS type, '' AS namespace,
    'noreply' || n || '@example.com' AS value, 'placeholder' AS reason, 2 + n % 40 AS records FROM range(500) AS t (n);

CREATE VIEW redirects AS SELECT printf('C%08d', (SELECT max(c) FROM people) + 2 + c) AS previous_customer_id, customer_id
FROM people WHERE c % 50 = 7;

CREATE VIEW id_changes AS
SELECT c + 1 AS change_seq, $now - INTERVAL 900 DAY AS changed_at, 'created' AS change, customer_id,
    NULL::VARCHAR AS previous_customer_id, 1 AS generation, 'first' AS run_id, 'new customer (the first run)' AS reason
FROM people
UNION ALL
SELECT 10000000 + row_number() OVER (ORDER BY customer_id), $now - INTERVAL 30 DAY, 'merged', customer_id,
    previous_customer_id, 2, 'second', 'same email' FROM redirects;

CREATE VIEW quality AS
SELECT s AS source, k AS check_name, hash(s || k || d) % 23 <> 0 AS passed, (1000 + hash(k || d) % 9000) || ' rows' AS observed,
    'a value in every row' AS expected, 'run-' || d AS run_id, $now - to_days(d::INTEGER) AS checked_at
FROM (SELECT unnest({names}) AS s), (SELECT unnest(['event_id_present', 'channel_known', 'time_sound', 'volume']) AS k),
    range(30) AS t (d);
"""


def _words(customers: int, seed: int) -> pa.Table:
    """Return a row of words per customer, drawn with the frequencies of the vocabulary."""
    words, rng = vocabulary(), np.random.default_rng(seed)
    given, surname, city, street = (
        pa.array(draw(rng, customers)) for draw in (words.given_name, words.surname, words.city, words.street)
    )
    kinds = words.street_kinds[0].take(pa.array(rng.integers(0, len(words.street_kinds[0]), customers)))
    return pa.table(
        {
            "c": pa.array(np.arange(customers)),
            "given": words.given.take(given),
            "plain_given": words.plain_given.take(given),
            "surname": words.surnames.take(surname),
            "plain_surname": words.plain_surnames.take(surname),
            "city": words.cities.take(city),
            "city_no": city,
            "street": pc.binary_join_element_wise(words.streets.take(street), kinds, " "),
            "street_no": street,
            "domain": pa.array(DOMAINS).take(pa.array(rng.integers(0, len(DOMAINS), customers))),
        }
    )


def make(connection: duckdb.DuckDBPyConnection, customers: int, now: datetime, seed: int) -> None:
    """Create the tables ``people`` and ``records`` and the views of :data:`TABLES`."""
    connection.register("words", _words(customers, seed))
    names = "[" + ", ".join(f"'{name}'" for name in SOURCES) + "]"
    moment = f"TIMESTAMPTZ '{now.isoformat()}'"
    records = _RECORDS
    for name, share in SOURCES.items():
        records = records.replace("{" + name + "}", str(share))
    for text in (_MACROS, _PEOPLE, records, _IDENTITY):
        connection.execute(text.replace("{names}", names).replace("$now", moment))


def write(connection: duckdb.DuckDBPyConnection, folder: Path) -> dict[str, Path]:
    """Write the views of :data:`TABLES` as Parquet; return where."""
    paths = {name: folder / f"{name}.parquet" for name in TABLES}
    for name, path in paths.items():
        connection.execute(f"COPY (FROM {name}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
    return paths
