"""One customer's page in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cdp.cli.terminal import printable

if TYPE_CHECKING:
    from warehouse.lookup import Contact, Profile

PIPE_COLUMNS = 120

_STATE_STYLES = {"granted": "green", "denied": "red", "unknown": "dim"}
_DIRECTIONS = {"inbound": "→", "outbound": "←"}


def page(profile: Profile) -> RenderableType:
    """Return the page: who, value, consent, contact points, why one person, contact history."""
    parts: list[RenderableType] = [_head(profile), _summary(profile)]
    if profile.golden:
        parts += [Text(), _golden(profile)]
    if profile.identifiers:
        parts += [Text(), _identifiers(profile)]
    parts += [Text(), _records(profile), _why(profile)]
    if profile.contacts:
        parts += [Text(), _history(profile)]
    return Group(*parts)


def display_name(profile: Profile) -> str:
    """Return what to call the customer: a name, else what reaches them, else the id."""
    columns = profile.columns
    parts = [str(columns[key]) for key in ("given_name", "surname") if columns[key]]
    whole = " ".join(parts) if len(parts) == 2 else columns["full_name"] or "".join(parts)
    for candidate in (whole, columns["company"], columns["email"], columns["phone"]):
        if candidate:
            return str(candidate)
    return "Anonymous visitor" if columns["is_anonymous"] else profile.customer_id


def _date(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else "—"


def money(amount: Decimal | None, currency: str | None) -> str:
    """Return an amount as a person reads it.

    >>> money(Decimal("1234.5000"), "GBP")
    '1,234.50 GBP'
    """
    return "" if amount is None else f"{amount:,.2f} {currency or ''}".rstrip()


def _plural(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _head(profile: Profile) -> Panel:
    columns = profile.columns
    place = ", ".join(str(columns[key]) for key in ("city", "country") if columns[key])
    reach = [str(value) for value in (columns["email"], columns["phone"], place, columns["company"]) if value]
    seen = f"first seen {_date(columns['first_seen_at'])} · last seen {_date(columns['last_seen_at'])}"
    channels = ", ".join(columns["channels"]) or "no channel"
    size = (
        f"{_plural(columns['event_count'], 'event')} over {channels} · "
        f"{_plural(columns['record_count'], 'record')} of {_plural(columns['source_count'], 'source')}"
    )
    lines = [" · ".join(reach), seen, size] if reach else [seen, size]
    if profile.former_ids:
        lines.append("formerly " + ", ".join(profile.former_ids))
    body = Text("\n".join(printable(line) for line in lines))
    return Panel(
        body,
        title=Text(printable(display_name(profile)), style="bold"),
        title_align="left",
        subtitle=Text(f"{profile.customer_id} · release {profile.release}", style="dim"),
        subtitle_align="right",
        box=box.ROUNDED,
    )


def _summary(profile: Profile) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    grid.add_row("Value", " · ".join(_value(profile.columns)) or "no orders")
    support = [part for part in _support(profile.columns) if part]
    if support:
        grid.add_row("Support", " · ".join(support))
    grid.add_row("Consent", _consent(profile))
    return grid


def _value(columns: Any) -> Iterator[str]:
    currency = columns["currency"]
    if columns["order_count"]:
        yield _plural(columns["order_count"], "order")
        if columns["revenue"] is not None:
            yield f"revenue {money(columns['revenue'], currency)}"
            yield f"average {money(columns['average_order'], currency)}"
        elif currency is None:
            yield "revenue in several currencies (no rates file)"
        yield f"last order {_date(columns['last_order_at'])}"
    if columns["refund_count"]:
        yield _plural(columns["refund_count"], "refund") + f" {money(columns['refunded'], currency)}".rstrip()
    if columns["donation_count"]:
        donated = money(columns["donated"], currency)
        yield f"{_plural(columns['donation_count'], 'donation')} {donated}".rstrip()


def _support(columns: Any) -> Iterator[str]:
    if columns["ticket_count"]:
        yield _plural(columns["ticket_count"], "ticket")
    if columns["open_tickets"]:
        yield f"{columns['open_tickets']} open"
    if columns["escalations"]:
        yield _plural(columns["escalations"], "escalation")


def _consent(profile: Profile) -> Text:
    """Name what was granted and denied; what was never said is one word."""
    text = Text()
    for state in ("granted", "denied"):
        named = [name.replace("_", " ") for name, found in profile.consent.items() if found == state]
        if named:
            text.append(" · " if text else "")
            text.append(state, style=_STATE_STYLES[state]).append(" " + ", ".join(named))
    rest = sum(state == "unknown" for state in profile.consent.values())
    if rest:
        text.append(" · rest unknown" if text else "unknown", style=_STATE_STYLES["unknown"])
    return text


def _table(title: str, *headings: str) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    for heading in headings:
        table.add_column(heading)
    return table


def _add(table: Table, *cells: str) -> None:
    table.add_row(*(printable(cell) for cell in cells))


def _golden(profile: Profile) -> Table:
    order = list(profile.columns)
    table = _table("Who", "", "value", "from", "as of", "rule")
    known = sorted(
        profile.golden, key=lambda g: (order.index(g.attribute) if g.attribute in order else 99, g.attribute)
    )
    for golden in known:
        name = golden.attribute.replace("_", " ")
        rule = (golden.rule or "").replace("_", " ")
        _add(table, name, golden.value, golden.source or "", _date(golden.observed_at), rule)
    return table


def _identifiers(profile: Profile) -> Table:
    table = _table("Identifiers", "type", "value", "from", "last seen")
    for found in profile.identifiers:
        kind = f"{found.type} ({found.namespace})" if found.namespace else found.type
        _add(table, kind, found.value, ", ".join(found.sources), _date(found.last_seen_at))
    return table


def _records(profile: Profile) -> Table:
    table = _table("Records", "record", "events", "match probability")
    table.columns[1].justify = table.columns[2].justify = "right"
    for record in profile.records:
        chance = "" if record.match_probability is None else f"{record.match_probability:.4f}"
        _add(table, record.record_key, f"{record.event_count:,}", chance)
    return table


def _why(profile: Profile) -> Text:
    text = Text()
    if len(profile.records) < 2:
        return text.append("One record only: nothing had to be matched.", style="dim")
    kinds = ", ".join(f"{count} {kind}" for kind, count in profile.evidence.kinds.items())
    links = _plural(sum(profile.evidence.kinds.values()), "link")
    text.append("Why one person: ", style="bold")
    text.append(f"{links} ({kinds})." if kinds else "no link is stored.")
    weakest = profile.evidence.weakest
    if weakest is not None:
        pair = f"{weakest.left_record} ↔ {weakest.right_record}"
        weight = "" if weakest.match_weight is None else f" (match weight {weakest.match_weight:+.1f})"
        text.append("\n" + printable(f"Weakest link: {pair}{weight}: {weakest.reason or weakest.kind}"))
        text.append(
            "\n" + printable(f"More: cdp explain {weakest.left_record} {weakest.right_record}"), style="dim"
        )
    return text


def _history(profile: Profile) -> Table:
    shown, total = len(profile.contacts), profile.columns["event_count"]
    title = "Contact history" if shown == total else f"Contact history (newest {shown} of {total:,})"
    table = _table(title, "when", "channel", "", "what", "about", "amount")
    table.columns[5].justify = "right"
    for contact in profile.contacts:
        _add(
            table,
            f"{contact.occurred_at:%Y-%m-%d %H:%M}" + ("?" if contact.time_flag else ""),
            contact.channel,
            _DIRECTIONS.get(contact.direction or "", ""),
            contact.event_type.replace("_", " "),
            _about(contact),
            money(contact.amount, contact.currency),
        )
    return table


def _about(contact: Contact) -> str:
    lines = f"({contact.line_count} lines)" if contact.line_count > 1 else ""
    subject = contact.subject or contact.campaign or contact.product or contact.reference
    outcome = f"({contact.outcome})" if contact.outcome else ""
    return " ".join(part for part in (subject, lines, outcome) if part)
