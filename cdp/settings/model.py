"""The model of ``cdp.yaml``: every key, its type, its default, and what it is for.

Field descriptions are the reference: the JSON Schema for editors and docs/reference/config.md are
made from them. What one key alone cannot tell (names that must exist) is in :mod:`cdp.settings.rules`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from cdp.settings.base import Duration, Model, SecretName, Texts, texts
from cdp.settings.collecting import CollectSettings, SignatureSettings
from cdp.settings.exporting import ExportSettings
from cdp.settings.measures import CostSettings, LifecycleSettings, MeasureSettings
from cdp.settings.serving import ServeSettings

_CURRENCY = re.compile(r"^[A-Z]{3}$")

RevisionPolicy = Literal["latest", "first", "quarantine"]
Rule = Literal["most_recent", "most_frequent", "trust", "longest"]
IdentifierName = Literal["user_id", "external_id", "anonymous_id", "email", "phone", "handle"]
TraitName = Literal[
    "full_name", "given_name", "surname", "title", "gender", "birth_date", "email", "phone", "street", "city",
    "region", "postcode", "country", "company", "language",
]  # fmt: skip


def _constant(given: Any) -> Any:
    if isinstance(given, bool):
        return str(given).lower()
    return str(given) if isinstance(given, int | float) else given


class ColumnRef(Model):
    """A column (dotted paths reach into nested objects), or a constant ``value``."""

    column: str | None = Field(
        None, description="Name of the column; a dotted path reaches into nested objects."
    )
    value: (
        Annotated[str, BeforeValidator(_constant, json_schema_input_type=str | int | float | bool)] | None
    ) = Field(None, description="A constant instead of a column.")
    namespace: str | None = Field(
        None, description="Namespace of an identifier, where it is not the source's."
    )

    @model_validator(mode="after")
    def _one_of(self) -> ColumnRef:
        if (self.column is None) == (self.value is None):
            raise ValueError("expected either 'column' or 'value'")
        return self


def _ref(given: Any) -> Any:
    return {"column": given} if isinstance(given, str) else given


def _currency(given: Any) -> Any:
    return {"value": given} if isinstance(given, str) and _CURRENCY.match(given) else _ref(given)


def _refs(given: Any) -> Any:
    return [_ref(item) for item in given] if isinstance(given, list) else [_ref(given)]


def _named_refs(given: Any) -> Any:
    return {name: name for name in given} if isinstance(given, list) else given


def _threshold(given: Any) -> Any:
    if given == "auto" or (isinstance(given, int | float) and 0 < given < 1):
        return given
    raise ValueError(f"given {given!r}, expected auto, or a number between 0 and 1")


def _share(given: Any) -> Any:
    text = str(given).strip() if isinstance(given, str | int | float) and not isinstance(given, bool) else ""
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if 0 <= share <= 1:
        return share
    raise ValueError(f"given {given!r}, expected a share such as 2% or 0.02")


Share = Annotated[
    float,
    BeforeValidator(_share, json_schema_input_type=str | float),
    Field(title="a share such as 2% or 0.02"),
]
Threshold = Annotated[Literal["auto"] | float, BeforeValidator(_threshold)]
Ref = Annotated[ColumnRef, BeforeValidator(_ref, json_schema_input_type=str | ColumnRef)]
Refs = Annotated[
    tuple[ColumnRef, ...],
    BeforeValidator(_refs, json_schema_input_type=str | ColumnRef | list[str | ColumnRef]),
]


class TypeRule(Model):
    """The event type: one word, or decided by a column's value or by what it begins with."""

    column: str | None = Field(None, description="Column that decides.")
    values: dict[str, str] = Field(default_factory=dict, description="Value of the column -> event type.")
    prefixes: dict[str, str] = Field(
        default_factory=dict, description="Beginning of the value -> event type."
    )
    default: str | None = Field(
        None, description="Event type of all other rows; without it they are quarantined."
    )

    @model_validator(mode="after")
    def _decides(self) -> TypeRule:
        if self.column is None and self.default is None:
            raise ValueError("expected an event type, or a column that decides")
        return self


def _type_rule(given: Any) -> Any:
    return {"default": given} if isinstance(given, str) else given


class EventMapping(Model):
    """What a row of a file means (connector `files`)."""

    type: Annotated[TypeRule, BeforeValidator(_type_rule, json_schema_input_type=str | TypeRule)] = Field(
        description="Event type of a row: a word of the vocabulary, or a rule over a column."
    )
    id: str | None = Field(
        None,
        description="Column with the row's own id; without it, and for lines of an event, content is the id.",
    )
    group_by: str | None = Field(None, description="Column that lines of one event share (an order number).")
    time: Ref | None = Field(None, description="When it happened.")
    amount: str | None = Field(
        None, description="A column, or arithmetic over columns: quantity * unit_price."
    )
    currency: (
        Annotated[ColumnRef, BeforeValidator(_currency, json_schema_input_type=str | ColumnRef)] | None
    ) = Field(None, description="An ISO 4217 code, or the column with it.")
    product: Ref | None = Field(None, description="Product name or code.")
    campaign: Ref | None = Field(None, description="Campaign name or id.")
    agent: Ref | None = Field(None, description="Who served the customer.")
    department: Ref | None = Field(None, description="Team or queue.")
    duration: Ref | None = Field(None, description="Duration in seconds.")
    outcome: Ref | None = Field(None, description="How it ended, as the source says.")
    escalation_level: Ref | None = Field(None, description="0 = not escalated.")
    self_service: Ref | None = Field(None, description="true where no agent was needed.")
    latitude: Ref | None = Field(None, description="Degrees, WGS 84.")
    longitude: Ref | None = Field(None, description="Degrees, WGS 84.")
    reference: Ref | None = Field(None, description="Order, ticket or thread that the event belongs to.")
    subject: Ref | None = Field(None, description="What a person reads in the contact history.")
    direction: Ref | None = Field(None, description="inbound or outbound, where the event type does not say.")
    consent_purpose: Ref | None = Field(None, description="Purpose whose consent changes.")
    consent_channel: Ref | None = Field(None, description="Channel whose consent changes; none = all.")
    consent_state: Ref | None = Field(None, description="granted or denied.")


class SourceSettings(Model):
    """One source: which connector reads it, from where, and how its rows are understood."""

    name: str = Field("", exclude=True)
    connector: str = Field(description="Connector: `cdp sources --connectors` lists them.")
    path: Texts = Field(
        (), description="File patterns below the workspace (or absolute); default: `inbox/<source>/**/*`."
    )
    enabled: bool = Field(True, description="false: the source is left alone.")
    description: str | None = Field(None, description="What the source is, for people.")
    write_key_env: SecretName | None = Field(
        None, description="Environment variable with the write key (never the key itself)."
    )
    secret_env: Annotated[
        tuple[SecretName, ...],
        BeforeValidator(texts, json_schema_input_type=SecretName | list[SecretName]),
        Field(title="the name of an environment variable, or a list of them"),
    ] = Field(
        (),
        description="Environment variables with the secrets that sign its webhooks; two while one is changed.",
    )
    signature: SignatureSettings = Field(
        default_factory=SignatureSettings, description="How its webhooks are verified (`cdp collect`)."
    )
    timezone: str = Field("", description="IANA zone of times without one; default: the workspace's.")
    region: str = Field(
        "", description="Country (ISO 3166-1) of phone numbers without one; default: the workspace's."
    )
    trust: int = Field(
        50, ge=0, le=100, description="Trust in its values against other sources (survivorship: trust)."
    )
    brand: str | None = Field(None, description="Brand, where a workspace has several.")
    namespace: str = Field(
        "", description="Namespace of its user ids and external ids; default: the source's name."
    )
    channel: str | None = Field(None, description="Channel of its events, where the event type does not say.")
    on_revision: RevisionPolicy = Field(
        "latest", description="Which payload stands when one id comes with several."
    )
    encoding: str = Field("utf-8", description="Text encoding of its files.")
    delimiter: str | None = Field(None, description="Delimiter of CSV files, where it cannot be told.")
    sheet: str | None = Field(None, description="Sheet of a workbook; default: the first.")
    freshness: Duration | None = Field(None, description="How old its newest batch may be: 36h, 7d.")
    event: EventMapping | None = Field(None, description="What a row means (connector files).")
    identifiers: dict[IdentifierName, Refs] = Field(
        default_factory=dict, description="Identifier type -> column(s)."
    )
    traits: dict[TraitName, Ref] = Field(default_factory=dict, description="Trait of the person -> column.")
    properties: (
        Annotated[
            dict[str, Ref],
            BeforeValidator(_named_refs, json_schema_input_type=list[str] | dict[str, str | ColumnRef]),
        ]
        | None
    ) = Field(None, description="Properties to keep (name -> column, or a list); default: the whole row.")

    @property
    def paths(self) -> tuple[str, ...]:
        """Patterns of the source's input files."""
        return self.path or (f"inbox/{self.name}/**/*",)


class WorkspaceSettings(Model):
    """The workspace: one tenant."""

    name: str = Field(description="Name of the workspace.")
    timezone: str = Field("UTC", description="IANA zone of times without one.")
    region: str = Field("", description="Country (ISO 3166-1) of phone numbers without one.")
    currency: str = Field("", description="ISO 4217 code of amount_base.")


class OwnSettings(Model):
    """Our own addresses: they set the direction and never become customers."""

    phones: tuple[str, ...] = Field((), description="Our phone numbers.")
    emails: tuple[str, ...] = Field((), description="Our e-mail addresses outside our domains.")
    domains: tuple[str, ...] = Field((), description="Our e-mail domains.")
    handles: tuple[str, ...] = Field((), description="Our names on social networks.")


class LimitSettings(Model):
    """How many people may share a value before it stops being evidence."""

    max: int = Field(ge=1, description="Distinct people.")
    window: Duration | None = Field(None, description="Within which time: 365d.")


class IdentitySettings(Model):
    """How records become customers."""

    limits: dict[IdentifierName, LimitSettings] = Field(
        default_factory=dict, description="Identifier type -> limit."
    )
    unique: tuple[IdentifierName, ...] = Field(
        ("user_id",), description="Types of which a customer has at most one per namespace."
    )
    priority: tuple[IdentifierName, ...] = Field((), description="Identifier types, the most telling first.")
    threshold: Threshold = Field(
        "auto",
        description="Match probability (0 to 1) from which records are one person; auto = the default.",
    )
    changed_alert: Share = Field(
        0.02, description="Warn where a run gives more than this share of known records another customer."
    )

    def deciding(self) -> dict[str, Any]:
        """Return what decides who is one person: all but alerts."""
        return self.model_dump(exclude={"changed_alert"})


class SurvivorshipSettings(Model):
    """Which value of an attribute becomes the golden one."""

    default: Rule = Field("most_recent", description="Rule of every attribute that has none of its own.")
    attributes: dict[TraitName, Rule] = Field(default_factory=dict, description="Attribute -> rule.")
    groups: dict[str, tuple[TraitName, ...]] = Field(
        default={"address": ("street", "city", "region", "postcode", "country")},
        description="Fields that move together, from one observation.",
    )


class ReleaseSettings(Model):
    """Published releases."""

    keep: int = Field(2, ge=2, description="How many releases stay.")
    masked: bool = Field(
        False,
        description="Also build a copy without direct personal data, for SQL of those who may not see them.",
    )


class AlertSettings(Model):
    """When a run warns."""

    quarantined_share: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Warn where more than this share of a source's envelopes is quarantined.",
    )


class Settings(Model):
    """The whole of ``cdp.yaml``."""

    version: Literal[1] = Field(1, description="Version of this file's format.")
    workspace: WorkspaceSettings = Field(description="The workspace: one tenant.")
    own: OwnSettings = Field(
        default_factory=OwnSettings, description="Our own addresses, which are no customers."
    )
    sources: dict[str, SourceSettings] = Field(default_factory=dict, description="Source name -> source.")
    identity: IdentitySettings = Field(
        default_factory=IdentitySettings, description="How records become customers."
    )
    survivorship: SurvivorshipSettings = Field(
        default_factory=SurvivorshipSettings,
        description="Which value of an attribute becomes the golden one.",
    )
    exports: dict[str, ExportSettings] = Field(default_factory=dict, description="Export name -> export.")
    release: ReleaseSettings = Field(default_factory=ReleaseSettings, description="Published releases.")
    schedule: str = Field("0 3 * * *", description="Cron of the daily run, in the workspace's time zone.")
    alerts: AlertSettings = Field(default_factory=AlertSettings, description="When a run warns.")
    collect: CollectSettings = Field(
        default_factory=CollectSettings, description="The collector (`cdp collect`)."
    )
    serve: ServeSettings = Field(default_factory=ServeSettings, description="The server (`cdp serve`).")
    lifecycle: LifecycleSettings = Field(
        default_factory=LifecycleSettings, description="When a customer is lapsing, and lapsed."
    )
    measures: MeasureSettings = Field(
        default_factory=MeasureSettings, description="Windows of responses, replies and attribution."
    )
    costs: CostSettings = Field(
        default_factory=CostSettings,
        description="What serving a customer costs, in the workspace's currency.",
    )

    @model_validator(mode="before")
    @classmethod
    def _inherit(cls, given: Any) -> Any:
        """Give every source its name, and what it takes from the workspace."""
        if not isinstance(given, dict) or not isinstance(given.get("sources"), dict):
            return given
        workspace = given.get("workspace")
        workspace = workspace if isinstance(workspace, dict) else {}
        inherited = {"timezone": workspace.get("timezone", "UTC"), "region": workspace.get("region", "")}
        sources = {
            name: {**inherited, "namespace": name, **source, "name": name}
            if isinstance(source, dict)
            else source
            for name, source in given["sources"].items()
        }
        return {**given, "sources": sources}
