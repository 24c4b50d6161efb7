"""Types that the parts of the settings' model share."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

Duration = Annotated[
    str, Field(pattern=r"^[1-9][0-9]*[mhdw]$", title="a duration such as 30m, 12h, 365d or 2w")
]
SecretName = Annotated[
    str, Field(pattern=r"^[A-Z][A-Z0-9_]*$", title="the name of an environment variable, such as CDP_WEB_KEY")
]


def duration(text: str) -> timedelta:
    """Return the length of a ``Duration``.

    >>> duration("36h"), duration("2w")
    (datetime.timedelta(days=1, seconds=43200), datetime.timedelta(days=14))
    """
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


class Model(BaseModel):
    """A section: frozen, and without any key that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def texts(given: Any) -> Any:
    """Return a single text as a list of one."""
    return [given] if isinstance(given, str) else given


Texts = Annotated[
    tuple[str, ...],
    BeforeValidator(texts, json_schema_input_type=str | list[str]),
    Field(title="text, or a list of text"),
]
