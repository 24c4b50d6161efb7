"""Times as sources write them, to UTC: SQL expressions over a column of text.

Understood: ISO 8601 with or without zone, epoch seconds / milliseconds / microseconds, RFC 2822,
``ctime`` with zone, and day-first or month-first dates with slashes, dots or dashes (month first
where the source's region writes so). A time without zone takes the source's time zone; one that
occurs twice there (clocks going back) takes the earlier and is flagged ``ambiguous``. What lies
outside of the years 1 to 9999 is no time; nor is ``infinity``, a word that a cast takes.
"""

from __future__ import annotations

from dataclasses import dataclass

from cdp.duck import quote

MONTH_FIRST_REGIONS = frozenset({"US", "PH", "FM", "MH", "PW"})
EARLIEST = "TIMESTAMPTZ '1990-01-01 00:00:00+00'"
FUTURE_TOLERANCE = "INTERVAL 10 MINUTE"
_FIRST, _LAST = "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999"

_ZONED = (
    "%a, %d %b %Y %H:%M:%S %z",
    "%d %b %Y %H:%M:%S %z",
    "%a %b %d %H:%M:%S %z %Y",
    "%d/%b/%Y:%H:%M:%S %z",
    "%Y/%m/%d %H:%M:%S %z",
)
_DAY_FIRST = (
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
)
_MONTH_FIRST = ("%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y", "%m/%d/%y %H:%M", "%m-%d-%Y")
_LOCAL = (
    "%Y%m%d",
    "%Y%m%d%H%M%S",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d",
    "%d %b %Y",
    "%d-%b-%Y",
    "%b %d, %Y",
    "%a, %d %b %Y %H:%M:%S",
)

_HAS_ZONE = r"[zZ]$|[+-]\d\d(:?\d\d)?$|UTC$|GMT$"


@dataclass(frozen=True)
class TimeSql:
    """SQL of a parsed time (TIMESTAMPTZ or NULL) and of whether its local time occurred twice."""

    instant: str
    ambiguous: str


def _formats(formats: tuple[str, ...]) -> str:
    return "[" + ", ".join(quote(item) for item in formats) + "]"


def within(instant: str) -> str:
    """Return SQL that is ``instant`` (a TIMESTAMPTZ) in the years 1 to 9999 of UTC, else NULL.

    Beyond them arithmetic, time zones and other programs fail.
    """
    return f"CASE WHEN {instant} BETWEEN TIMESTAMPTZ '{_FIRST}+00' AND TIMESTAMPTZ '{_LAST}+00' THEN {instant} END"


def _localised(naive: str, timezone: str) -> TimeSql:
    if timezone.upper() in ("UTC", "ETC/UTC"):
        return TimeSql(f"({naive})::TIMESTAMPTZ", "false")
    zone = quote(timezone)
    later = f"timezone({zone}, {naive})"
    # ICU gives the later of two instants with one local time; the earlier is an hour before.
    twice = f"(timezone({zone}, {later} - INTERVAL 1 HOUR) = {naive})"
    earlier = f"{later} - CASE WHEN {twice} THEN INTERVAL 1 HOUR ELSE INTERVAL 0 HOUR END"
    # The time zones of ICU raise on what is far beyond, and CASE keeps it from them. It stays what it is
    # there, rather than NULL, so that no other form is tried: strptime takes infinity for 1900.
    some = f"CASE WHEN {naive} BETWEEN TIMESTAMP '{_FIRST}' AND TIMESTAMP '{_LAST}' THEN"
    return TimeSql(f"({some} {earlier} ELSE ({naive})::TIMESTAMPTZ END)", f"({some} {twice} END)")


def parse(text: str, *, timezone: str, region: str | None) -> TimeSql:
    """Return the SQL that parses the VARCHAR column ``text`` of a source in this zone and region."""
    by_region = _MONTH_FIRST + _DAY_FIRST if region in MONTH_FIRST_REGIONS else _DAY_FIRST + _MONTH_FIRST
    epoch = (
        f"CASE WHEN regexp_full_match({text}, '\\d{{9,10}}(\\.\\d+)?') "
        f"THEN make_timestamptz(CAST({text}::DECIMAL(20, 6) * 1000000 AS BIGINT)) "
        f"WHEN regexp_full_match({text}, '\\d{{12,13}}') THEN make_timestamptz({text}::BIGINT * 1000) "
        f"WHEN regexp_full_match({text}, '\\d{{16}}') THEN make_timestamptz({text}::BIGINT) END"
    )
    # The common forms first: each format that is tried and fails costs more than a cast.
    iso = _localised(f"try_cast({text} AS TIMESTAMP)", timezone)
    other = _localised(f"try_strptime({text}, {_formats(by_region + _LOCAL)})", timezone)
    # A zone is looked for only where one could follow a time of day: 2026-03-04 ends in -04, too.
    aware = f"(length({text}) > 13 AND regexp_matches({text}, {quote(_HAS_ZONE)}))"
    # Comments such as (CET) or [GMT] behind the offset, and names for it, are rare: tried last.
    bare = f"regexp_replace({text}, '\\s*[\\[(][^\\])]*[\\])]$', '')"
    numeric = f"regexp_replace({bare}, '(GMT|UTC|UT|Z)$', '+0000')"
    zoned = (
        f"coalesce(try_strptime({text}, {_formats(_ZONED[:1])}), try_strptime({numeric}, {_formats(_ZONED)}), "
        f"CASE WHEN {bare} <> {text} THEN try_cast({bare} AS TIMESTAMPTZ) END)"
    )
    instant = within(
        f"CASE WHEN {text} IS NULL THEN NULL "
        f"WHEN {aware} THEN coalesce(try_cast({text} AS TIMESTAMPTZ), {zoned}) "
        f"ELSE coalesce({iso.instant}, {epoch}, {other.instant}, {zoned}) END"
    )
    if iso.ambiguous == "false":
        return TimeSql(instant, "false")
    either = f"{iso.ambiguous}, CASE WHEN {epoch} IS NULL THEN {other.ambiguous} END"
    # CASE leaves out the rows that are decided; AND would evaluate both sides for all of them.
    return TimeSql(
        instant, f"CASE WHEN {text} IS NULL OR {aware} THEN false ELSE coalesce({either}, false) END"
    )
