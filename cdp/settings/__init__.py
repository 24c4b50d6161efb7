r"""Settings of a workspace: ``cdp.yaml``, checked and frozen, with errors that name the line.

>>> from cdp.settings import parse
>>> parse("version: 1\nworkspace: {name: shop}").release.keep
2
"""

from cdp.settings.base import duration
from cdp.settings.exporting import DestinationSettings, ExportSettings
from cdp.settings.load import FILE, load, parse
from cdp.settings.model import (
    AlertSettings,
    ColumnRef,
    EventMapping,
    IdentitySettings,
    LimitSettings,
    OwnSettings,
    ReleaseSettings,
    Settings,
    SourceSettings,
    SurvivorshipSettings,
    TypeRule,
    WorkspaceSettings,
)

__all__ = [
    "FILE",
    "AlertSettings",
    "ColumnRef",
    "DestinationSettings",
    "EventMapping",
    "ExportSettings",
    "IdentitySettings",
    "LimitSettings",
    "OwnSettings",
    "ReleaseSettings",
    "Settings",
    "SourceSettings",
    "SurvivorshipSettings",
    "TypeRule",
    "WorkspaceSettings",
    "duration",
    "load",
    "parse",
]
