"""Laws of segments over releases: who entered and left equals a plain account of it; a merge is no exit."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp.lake import Lake
from tests.conftest import examples
from tests.segment_tools import keep_segment
from tests.warehouse_tools import NOW, event, publish_into, rows, table, value, world
from warehouse.inputs import REDIRECTS

RECORDS = [f"web:{number}" for number in range(5)]
RULE = {"field": "city", "op": "is", "value": "York"}

# One release: the city of each record, and which records lie together (a part of a partition each).
steps = st.lists(
    st.tuples(
        st.lists(st.booleans(), min_size=5, max_size=5), st.lists(st.integers(0, 4), min_size=5, max_size=5)
    ),
    min_size=2,
    max_size=4,
)


def identify(groups, standing, retired, counter):
    """Give each group of records an id: that of its oldest record's group before, if that is still free."""
    ids = {}
    for members in sorted(
        {tuple(r for r, g in zip(RECORDS, groups, strict=True) if g == one) for one in groups}
    ):
        free = [standing[r] for r in members if r in standing and standing[r] not in ids.values()]
        if not free:
            counter[0] += 1
        chosen = min(free) if free else f"C{counter[0]:03}"
        ids |= dict.fromkeys(members, chosen)
    for record, old in standing.items():
        if old not in ids.values():
            retired[old] = ids[record]
    for old, new in retired.items():
        while new not in ids.values():
            new = retired[new]  # noqa: PLW2901 - a chain is followed to its end
        retired[old] = new
    return ids


@settings(examples(2), suppress_health_check=[HealthCheck.too_slow])
@given(steps, st.booleans())
def test_stays_equal_a_plain_account(tmp_path_factory, releases, turned):
    folder = tmp_path_factory.mktemp("workspace")
    keep_segment(folder, "yorkers", RULE)
    standing, retired, counter, before = {}, {}, [0], set()
    for number, (in_york, groups) in enumerate(releases):
        ids = identify(groups, standing, retired, counter)
        standing = ids
        golden = {}
        for record, york in zip(RECORDS, in_york, strict=True):
            golden.setdefault(ids[record], (record, york))
        values = [value(record, "city", "York" if york else "Leeds") for record, york in golden.values()]
        redirects = [{"previous_customer_id": a, "customer_id": b} for a, b in retired.items()]
        events = [event(str(n), record) for n, record in enumerate(RECORDS)]
        made = publish_into(
            Lake(folder),
            world(
                folder / f"made{number}", [events[::-1] if turned else events], ids,
                values=values[::-1] if turned else values, redirects=table(REDIRECTS, redirects),
            ),
            now=NOW + timedelta(hours=number),
        )  # fmt: skip
        told = {retired.get(one, one) for one in before}
        now = {customer for customer, (_, york) in golden.items() if york}
        with made.open() as connection:
            open_stays = rows(
                connection,
                "SELECT customer_id, entered_release FROM segment_members WHERE exited_release IS NULL",
            )
            left = rows(
                connection, "SELECT customer_id FROM segment_members WHERE exited_release = ?", made.version
            )
            size = rows(connection, "SELECT * FROM segment_sizes WHERE release = ?", made.version)[0]
        assert {row["customer_id"] for row in open_stays} == now
        assert {
            row["customer_id"] for row in open_stays if row["entered_release"] == made.version
        } == now - told
        assert {row["customer_id"] for row in left} == told - now
        assert (size["size"], size["entered"], size["exited"], size["merged"]) == (
            len(now), len(now - told), len(told - now), len(before) - len(told),
        )  # fmt: skip
        before = now
