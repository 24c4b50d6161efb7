"""What is expected of the standardised events of every source."""

from __future__ import annotations

from cdp.events import CHANNELS, DIRECTIONS, EVENT_TYPES
from pipelines.checks.model import Expectation

_IN_SET = "expect_column_values_to_be_in_set"
_BETWEEN = "expect_column_values_to_be_between"
_REGEX = "expect_column_values_to_match_regex"
_NOT_NULL = "expect_column_values_to_not_be_null"

# Shares below which a warning says that a mapping or a clock deserves a look.
_PLAUSIBLE_TIMES = 0.98
_ATTRIBUTED = 0.5


def _range(column: str, low: float, high: float | None = None) -> Expectation:
    bound = f"{low:g} or more" if high is None else f"{low:g} to {high:g}"
    return Expectation(
        f"{column}_in_range",
        "row",
        _BETWEEN,
        (column,),
        {"column": column, "min_value": low, "max_value": high},
        expected=bound,
    )


def _word(column: str, words: list[str], expected: str) -> Expectation:
    return Expectation(
        f"{column}_known",
        "row",
        _IN_SET,
        (column,),
        {"column": column, "value_set": words},
        expected=expected,
    )


def events_expectations(source: str) -> tuple[Expectation, ...]:
    """Return the expectations for the events of ``source``, the structural ones first."""
    return (
        Expectation(
            "events_unique",
            "structure",
            "expect_compound_columns_to_be_unique",
            ("file_id", "raw_row", "event_id"),
            {"column_list": ["file_id", "raw_row", "event_id"]},
            expected="each event once per envelope",
        ),
        Expectation(
            "event_id_present",
            "structure",
            _NOT_NULL,
            ("event_id",),
            {"column": "event_id"},
            on_empty=True,
            expected="always",
        ),
        Expectation(
            "occurred_at_present",
            "structure",
            _NOT_NULL,
            ("occurred_at",),
            {"column": "occurred_at"},
            on_empty=True,
            expected="always",
        ),
        Expectation(
            "source_is_its_own",
            "structure",
            _IN_SET,
            ("source",),
            {"column": "source", "value_set": [source]},
            expected=source,
        ),
        _word("event_type", list(EVENT_TYPES), "a word of the vocabulary"),
        _word("channel", list(CHANNELS), "a channel of the vocabulary"),
        _word("direction", list(DIRECTIONS), "inbound or outbound"),
        _word("consent_state", ["granted", "denied"], "granted or denied"),
        _range("latitude", -90, 90),
        _range("longitude", -180, 180),
        _range("duration_seconds", 0),
        _range("escalation_level", 0, 9),
        Expectation(
            "currency_known",
            "row",
            _REGEX,
            ("currency",),
            {"column": "currency", "regex": "^[A-Z]{3}$"},
            expected="ISO 4217 code",
        ),
        Expectation(
            "time_plausible",
            "warning",
            "expect_column_values_to_be_null",
            ("time_flag",),
            {"column": "time_flag", "mostly": _PLAUSIBLE_TIMES},
            expected=f"{_PLAUSIBLE_TIMES:.0%} of the events without a flag",
        ),
        Expectation(
            "events_attributed",
            "warning",
            _NOT_NULL,
            ("record_key",),
            {"column": "record_key", "mostly": _ATTRIBUTED},
            on_empty=True,
            expected=f"{_ATTRIBUTED:.0%} of the events with an identifier",
        ),
    )


CHECK_NAMES: tuple[str, ...] = tuple(expectation.name for expectation in events_expectations("any"))
BLOCKING_CHECKS: frozenset[str] = frozenset(
    e.name for e in events_expectations("any") if e.severity == "structure"
)
