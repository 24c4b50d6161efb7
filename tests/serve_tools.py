"""A small workspace with one release, served: what the tests of the server share."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.testclient import TestClient

from cdp.lake import Lake
from cdp.settings import Settings
from tests.warehouse_tools import event, identifier, order, publish_into, value, world
from warehouse.serve import keys, sessions
from warehouse.serve.app import create_app
from warehouse.serve.context import Serving

if TYPE_CHECKING:
    from fastapi import FastAPI

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
BASE = "http://localhost"

# What must never stand in a log or an address.
EMAIL = "jane.doe@mail.example"
PHONE = "+442071838750"
NAME = "Jane Doe"


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


def lake_with_release(folder: Path) -> Lake:
    """A workspace with one release of two customers."""
    lake = Lake(folder / "workspace")
    files = [[event("e1", "web:1"), order("o1", "25.00"), event("e2", "web:2", at=3)]]
    inputs = world(
        folder / "inputs",
        files,
        {"web:1": "C1", "shop:1": "C1", "web:2": "C2"},
        identifiers=[identifier("web:1", "email", EMAIL), identifier("shop:1", "phone", PHONE)],
        values=[
            value("web:1", "email", EMAIL),
            value("shop:1", "phone", PHONE),
            value("web:1", "full_name", NAME),
            value("web:2", "full_name", "John Roe"),
        ],
    )
    publish_into(lake, inputs)
    return lake


def copy_of(lake: Lake, folder: Path) -> Lake:
    """The same workspace once more, for a test that writes into it."""
    return Lake(Path(shutil.copytree(lake.root, folder / "workspace")))


def settings_of(**more: Any) -> Settings:
    return Settings.model_validate({"workspace": {"name": "test"}, **more})


class Served:
    """An application over a workspace, its clock, and clients of it."""

    def __init__(self, lake: Lake, **settings: Any) -> None:
        self.clock = Clock()
        lake.root.mkdir(parents=True, exist_ok=True)
        self.serving = Serving.open(lake, settings_of(**settings))
        self.serving.now = self.clock
        self.app: FastAPI = create_app(self.serving)

    def client(self, **more: Any) -> TestClient:
        """Return a client without key or session; errors of the server are answers, as they are in life."""
        given = {"base_url": BASE, "raise_server_exceptions": False, "follow_redirects": False, **more}
        return TestClient(self.app, **given)

    def key(self, *scopes: str, name: str = "test", **more: Any) -> str:
        return keys.create(self.serving.store, name, scopes, now=self.clock(), **more)[1]

    def with_key(self, *scopes: str, **more: Any) -> TestClient:
        """Return a client of the API."""
        client = self.client(**more)
        client.headers["authorization"] = f"Bearer {self.key(*scopes)}"
        return client

    def signed_in(self, *scopes: str) -> TestClient:
        """Return a browser in which somebody with these scopes has signed in by a form."""
        client = self.client()
        answer = client.post("/sign-in", data={"key": self.key(*scopes)})
        assert answer.status_code == 303, answer.text
        return client

    def csrf(self, client: TestClient) -> str:
        caller = sessions.find(self.serving.store, client.cookies[sessions.COOKIE], self.clock())
        assert caller is not None
        return caller.csrf_token or ""

    def close(self) -> None:
        self.serving.close()


def texts(rows: Iterable[Any]) -> str:
    """Everything of some rows as one text."""
    return "\n".join(str(tuple(row)) for row in rows)
