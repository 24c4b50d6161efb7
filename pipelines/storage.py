"""Where Dagster keeps its runs and logs: inside the workspace, with no DAGSTER_HOME to set.

``dagster.yaml`` names these classes; each process of Dagster finds the same folder again by
:func:`pipelines.workspace.folder`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData

from pipelines.workspace import dagster_folder, folder


def _base() -> str:
    return str(dagster_folder(folder()))


class WorkspaceStorage(DagsterSqliteStorage):
    """Runs, events, schedules and sensors in SQLite files below the workspace."""

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        return {}

    @classmethod
    def from_config_value(  # type: ignore[override]  # no configuration to pass on
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> WorkspaceStorage:
        return cls.from_local(_base(), inst_data)


class WorkspaceArtifacts(LocalArtifactStorage):
    """Files that Dagster itself writes."""

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        return {}

    @classmethod
    def from_config_value(  # type: ignore[override]
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> WorkspaceArtifacts:
        return cls(_base(), inst_data)


class WorkspaceLogs(LocalComputeLogManager):
    """Output of the steps of runs that ``dg`` starts."""

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> WorkspaceLogs:
        return cls(f"{_base()}/output", inst_data=inst_data)
