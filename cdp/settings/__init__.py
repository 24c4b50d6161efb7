"""Settings of a workspace: ``cdp.yaml``, checked and frozen."""

from __future__ import annotations

from pathlib import Path

from cdp.errors import ConfigError
from cdp.settings.model import (
    ColumnRef,
    EventMapping,
    ExportSettings,
    IdentitySettings,
    OwnSettings,
    ReleaseSettings,
    Settings,
    SourceSettings,
    SurvivorshipSettings,
    TypeRule,
    WorkspaceSettings,
)

__all__ = [
    "ColumnRef",
    "EventMapping",
    "ExportSettings",
    "IdentitySettings",
    "OwnSettings",
    "ReleaseSettings",
    "Settings",
    "SourceSettings",
    "SurvivorshipSettings",
    "TypeRule",
    "WorkspaceSettings",
    "load",
]


def load(workspace: Path) -> Settings:
    """Return the settings of ``workspace``; a missing or wrong ``cdp.yaml`` raises ConfigError."""
    import yaml
    from pydantic import ValidationError

    path = workspace / "cdp.yaml"
    if not path.is_file():
        raise ConfigError(f"There is no cdp.yaml in {workspace}.", hint="Make a workspace with `cdp init DIR`.")
    try:
        return Settings.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from None
