"""The part of ``cdp.yaml`` about exports: who is in them, as what, when, and where they go."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from cdp.settings.base import Model, SecretName, texts

DatasetName = Literal["customers", "id_map", "identifiers", "consents", "contact_history"]
FileFormat = Literal["parquet", "csv", "jsonl", "google", "meta"]
INTERNAL = "internal"
EACH_RUN = "each_run"
MANUAL = "manual"


class DestinationSettings(Model):
    """An HTTP endpoint that is told what changed, in batches."""

    url: str = Field(
        pattern=r"^https?://[^/?#@\s]+(/[^?#\s]*)?(\?[^#\s]*)?$",
        title="an address such as https://crm.example/audiences",
        description="Where batches are posted to; https, and http only with `private_addresses`.",
    )
    body: Literal["ndjson", "json"] = Field(
        "ndjson", description="Batches as lines of JSON, or as one JSON array."
    )
    headers: dict[str, str] = Field(
        default_factory=dict, description="Header -> value, of headers that are no secret."
    )
    header_env: dict[str, SecretName] = Field(
        default_factory=dict,
        description="Header -> environment variable with its whole value, such as `Authorization: CRM_TOKEN`.",
    )
    secret_env: SecretName | None = Field(
        None, description="Environment variable with the secret that signs batches (`X-CDP-Signature`)."
    )
    batch_rows: int = Field(500, ge=1, le=10_000, description="Most rows of a batch.")
    timeout_seconds: float = Field(
        30.0, gt=0, le=600, description="How long an answer may take before the batch is tried again."
    )
    attempts: int = Field(6, ge=1, le=20, description="How often a batch is tried in one run.")
    run_seconds: float = Field(
        600.0, gt=0, le=86_400, description="A run leaves what is not delivered by then to the next one."
    )
    max_rejected: int = Field(
        100, ge=1, description="Rows that may be refused in one run before it stops as failed."
    )
    private_addresses: bool = Field(
        False, description="true: the address may be this machine or one of a private network."
    )


class ExportSettings(Model):
    """A named export."""

    dataset: DatasetName = Field("customers", description="What is exported.")
    segment: str | None = Field(
        None, min_length=1, description="Only members of this segment; default: all customers."
    )
    columns: Annotated[
        tuple[str, ...],
        BeforeValidator(texts, json_schema_input_type=str | list[str]),
        Field(title="text, or a list of text"),
    ] = Field((), description="Columns of the dataset; its key is always there. Default: all of them.")
    format: FileFormat = Field(
        "parquet",
        description="File format; `google` and `meta` are hashed lists for Customer Match and Custom Audiences.",
    )
    formats: tuple[FileFormat, ...] = Field((), description="Several file formats instead of `format`.")
    purpose: str = Field(
        min_length=1,
        description="Only people who consent to this purpose are in it; `internal` needs no consent.",
    )
    channel: str | None = Field(
        None,
        description="Channel that they must have consented to; default: some channel, and denied none.",
    )
    min_probability: float = Field(0.0, ge=0, le=1, description="Least match probability of a customer.")
    identifiers: Literal["all", "golden"] = Field(
        "all", description="Of `google` and `meta`: all e-mail addresses and numbers of a person (three of each), "
        "or the golden one only."
    )  # fmt: skip
    schedule: str = Field(
        EACH_RUN,
        description="When it is written: `each_run`, `manual` (`cdp export NAME`), or a cron in the workspace's zone.",
    )
    destination: DestinationSettings | None = Field(
        None, description="Where it is delivered to over HTTP, instead of files."
    )

    @model_validator(mode="after")
    def _one_of(self) -> ExportSettings:
        if self.formats and "format" in self.model_fields_set:
            raise ValueError("expected either 'format' or 'formats'")
        return self

    @property
    def files(self) -> tuple[FileFormat, ...]:
        """The file formats; none of an export that is delivered over HTTP."""
        if self.destination is not None:
            return ()
        return self.formats or (self.format,)

    @property
    def cron(self) -> str | None:
        """When it is written, where it has a time of its own."""
        return None if self.schedule in (EACH_RUN, MANUAL) else self.schedule
