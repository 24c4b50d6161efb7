"""The part of ``cdp.yaml`` that the server reads (`cdp serve`)."""

from __future__ import annotations

from pydantic import Field

from cdp.settings.base import Duration, Model, Texts


class ServeSettings(Model):
    """The server (`cdp serve`): where browsers reach it, and how much one caller may ask for."""

    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^/?#]+/?$",
        description="Its address behind a proxy, such as https://cdp.shop.example. With https, cookies are "
        "for https only.",
    )
    dagster_url: str | None = Field(
        None,
        pattern=r"^https?://[^?#\s]+$",
        description="Where Dagster runs, such as http://localhost:3000: the pages about quality lead there.",
    )
    collector_url: str | None = Field(
        None,
        pattern=r"^https?://[^?#\s]+$",
        description="Where the collector's state can be read, such as http://localhost:8787/healthz.",
    )
    hosts: Texts = Field(
        (),
        description="Other names by which it is reached; requests for names that it does not know are refused.",
    )
    requests_per_minute: int = Field(
        6_000, ge=1, description="Requests a minute of a key that has no limit of its own."
    )
    rows_per_day: int = Field(
        50_000_000,
        ge=1,
        description="Rows a day, in lists and exports, of a key that has no limit of its own.",
    )
    max_body_bytes: int = Field(1 << 20, ge=1 << 10, le=64 << 20, description="Longest body of a request.")
    request_seconds: float = Field(
        30.0,
        ge=1,
        le=3600,
        description="A client that takes longer to send one request, or to read, is cut off.",
    )
    session_idle: Duration = Field("2h", description="A session ends when nothing is asked for this long.")
    session_longest: Duration = Field("12h", description="A session ends at this age at the latest.")
    keep_audit: Duration = Field("400d", description="How long the audit log is kept.")
    threads: int = Field(2, ge=1, le=256, description="Threads of the database.")
    memory: str = Field(
        "1GB", pattern=r"^[1-9][0-9]*(MB|GB)$", description="Memory of the database, such as 800MB or 4GB."
    )
