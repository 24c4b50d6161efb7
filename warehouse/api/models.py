"""What the API answers about profiles, as its description tells it. The answers themselves are made in DuckDB."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

IdentifierKind = Literal["user_id", "external_id", "anonymous_id", "email", "phone", "handle"]
_EXAMPLE_CUSTOMER: Final = {
    "customer_id": "C00000042", "full_name": "Jane Doe", "email": "jane@example.com", "order_count": 3,
    "net_revenue": "129.9000", "currency": "GBP", "consent_marketing_email": "granted",
}  # fmt: skip
_MOST_TEXT: Final = 512


class Attribution(BaseModel):
    """A golden value, and where it came from."""

    attribute: str
    value: str
    source: str | None
    record_key: str | None
    observed_at: str | None
    rule: str | None


class Identifier(BaseModel):
    """An identifier of the profile, with the sources that gave it."""

    type: str
    namespace: str
    value: str
    sources: list[str]
    first_seen_at: str | None
    last_seen_at: str | None


class Consent(BaseModel):
    """The standing word on a purpose and channel; null stands for every one."""

    purpose: str | None
    channel: str | None
    state: Literal["granted", "denied"]
    decided_at: str | None
    source: str
    event_type: str


class SourceRecord(BaseModel):
    """A source's view of the person."""

    record_key: str
    source: str
    match_probability: float | None
    first_seen_at: str | None
    last_seen_at: str | None
    event_count: int


class Profile(BaseModel):
    """Everything about one customer but the contact history. ``customer`` is the row of ``customers``."""

    customer_id: str
    customer: dict[str, Any] = Field(examples=[_EXAMPLE_CUSTOMER])
    attributions: list[Attribution]
    identifiers: list[Identifier]
    consents: list[Consent]
    records: list[SourceRecord]
    previous_ids: list[str] = Field(description="Ids that were retired in favour of this one.")


class Edge(BaseModel):
    """A piece of evidence between two records: ``match_weight`` in bits, null for a judgement."""

    left_record: str
    right_record: str
    kind: str
    match_weight: float | None
    match_probability: float | None
    reason: str | None
    levels: Any = Field(None, description="Comparison levels and their weights, where there are any.")


class HeldBack(BaseModel):
    """Evidence between a record of this customer and one of another one that did not join them."""

    other_customer_id: str
    left_record: str
    right_record: str
    kind: str
    match_weight: float | None
    match_probability: float | None
    reason: str | None
    levels: Any = None


class Why(BaseModel):
    """Why the records are one person. Without ``weakest`` the profile would fall into two most easily."""

    edge_count: int
    kinds: dict[str, int]
    weakest: Edge | None
    edges: list[Edge] = Field(description="The heaviest first, at most 500.")
    held_back: list[HeldBack] = Field(description="At most 100.")


class ProfileAnswer(BaseModel):
    """A profile of a release."""

    release: str = Field(examples=["20260302T120000-000007"])
    profile: Profile
    redirected_from: str | None = Field(None, description="The retired id that was asked for.")
    evidence: Why | None = Field(None, description="With include=evidence.")


class WhyAnswer(BaseModel):
    """The evidence of a profile."""

    release: str
    customer_id: str
    records: list[SourceRecord]
    evidence: Why


class Candidate(BaseModel):
    """One of several customers that share an identifier."""

    customer_id: str
    full_name: str | None
    email: str | None
    phone: str | None
    city: str | None
    last_seen_at: str | None
    event_count: int


class LookupAnswer(BaseModel):
    """Whom an identifier leads to: one profile, or several candidates (then ``profile`` is null)."""

    release: str
    matched_by: Literal["customer_id", "retired_id", "record_key", "identifier"]
    profile: Profile | None
    candidates: list[Candidate]
    more: bool = Field(description="There are more candidates than are listed (20).")


class LookupByType(BaseModel):
    """An identifier whose type is known."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"type": "email", "value": "jane@example.com"}]}
    )
    type: IdentifierKind
    value: Annotated[str, Field(min_length=1, max_length=_MOST_TEXT)]
    namespace: Annotated[str, Field(max_length=_MOST_TEXT)] | None = None


class LookupByText(BaseModel):
    """Anything that leads to a customer: an id, a record key, an e-mail address, or ``type:value``."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"identifier": "+442079460018"}]}
    )
    identifier: Annotated[str, Field(min_length=1, max_length=_MOST_TEXT)]


class Moved(BaseModel):
    """The id was retired; ``Location`` leads to the customer that holds its records now."""

    release: str
    customer_id: str
    previous_customer_id: str


class Event(BaseModel):
    """A line of the contact history: the columns of ``contact_history``."""

    model_config = ConfigDict(extra="allow")
    event_id: str
    record_key: str
    source: str
    channel: str
    event_type: str
    direction: str | None
    occurred_at: str
    subject: str | None
    amount: str | None
    currency: str | None


class HistoryAnswer(BaseModel):
    """A page of the contact history, the newest first. ``next`` is the cursor of the next page."""

    release: str
    customer_id: str
    events: list[Event]
    next: str | None
