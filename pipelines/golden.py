"""What golden values are chosen from: what the records say, in the form of the customers table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cdp.duck import connect, quote
from cdp.schemas import RECORD_VALUES

if TYPE_CHECKING:
    import pyarrow as pa

CONTACTS = ("email", "phone")

# E-mail and phone come from the identifiers, which are normalised. A full name is made of its parts where a
# record has only these; one of a single word (a nickname on a network) stands only where there is no other.
_CANDIDATES_SQL = """
WITH contacts AS (
  SELECT record_key, source, type AS attribute, value, last_seen_at AS observed_at FROM identifiers
  WHERE type IN ('email', 'phone')),
named AS (
  SELECT record_key, source, 'full_name' AS attribute, given_name || ' ' || surname AS value,
    (SELECT max(v.observed_at) FROM said AS v
     WHERE v.record_key = r.record_key AND v.attribute IN ('given_name', 'surname')) AS observed_at
  FROM records AS r WHERE full_name IS NULL AND given_name IS NOT NULL AND surname IS NOT NULL),
candidates AS (
  SELECT * FROM said WHERE attribute NOT IN ('email', 'phone')
  UNION ALL BY NAME SELECT * FROM normalised ANTI JOIN contacts USING (record_key, attribute)
  UNION ALL BY NAME SELECT * FROM contacts
  UNION ALL BY NAME SELECT * FROM named),
whole AS (
  SELECT DISTINCT cluster_id FROM candidates JOIN clusters USING (record_key)
  WHERE attribute = 'full_name' AND strpos(trim(value), ' ') > 0)
SELECT c.record_key, c.source, c.attribute, c.value, c.observed_at FROM candidates AS c
LEFT JOIN clusters USING (record_key) LEFT JOIN whole ON whole.cluster_id = clusters.cluster_id
WHERE NOT (c.attribute = 'full_name' AND strpos(trim(c.value), ' ') = 0 AND whole.cluster_id IS NOT NULL)
ORDER BY ALL
"""


def candidates(generation: Path, clusters: pa.Table) -> pa.Table:
    """Return the values (``RECORD_VALUES``) from which survivorship chooses.

    ``generation`` is the folder of an identity generation, ``clusters`` its record_key and cluster_id.
    """
    with connect() as connection:
        for view, name in (("said", "values"), ("identifiers", "identifiers"), ("records", "records")):
            path = quote(str(generation / f"{name}.parquet"))
            connection.execute(f"CREATE TEMP VIEW {view} AS SELECT * FROM read_parquet({path})")
        said = connection.sql("SELECT * FROM said WHERE attribute IN ('email', 'phone')").to_arrow_table()
        connection.register("normalised", _normalised(said))
        connection.register("clusters", clusters.select(["record_key", "cluster_id"]))
        found = connection.sql(_CANDIDATES_SQL).to_arrow_table()
    return found.select(RECORD_VALUES.names).cast(RECORD_VALUES)


def _normalised(said: pa.Table) -> pa.Table:
    """Return traits that are no identifiers of their records, in normal form; what is no address goes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from cdp.identifiers import normalise_array

    place = said.schema.get_field_index("value")
    parts = []
    for kind in CONTACTS:
        rows = said.filter(pc.equal(said["attribute"], kind))
        rows = rows.set_column(place, "value", normalise_array(kind, rows["value"], None))
        parts.append(rows.filter(pc.is_valid(rows["value"])))
    return pa.concat_tables(parts)
