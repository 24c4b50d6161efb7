"""Where Dagster keeps its runs and logs: inside the workspace, with no DAGSTER_HOME to set.

``dagster.yaml`` names these classes; each process of Dagster finds the same folder again by
:func:`pipelines.workspace.folder`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

from pipelines.workspace import dagster_folder, folder

if TYPE_CHECKING:
    from dagster._serdes import ConfigurableClassData


def _base() -> str:
    return str(dagster_folder(folder()))


class WorkspaceStorage(DagsterSqliteStorage):
    """Runs, events, schedules and sensors in SQLite files below the workspace."""

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        """Take no configuration."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> WorkspaceStorage:
        """Make one for the workspace in use."""
        del config_value
        return cls.from_local(_base(), inst_data)


class WorkspaceArtifacts(LocalArtifactStorage):
    """Files that Dagster itself writes."""

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        """Take no configuration."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> WorkspaceArtifacts:
        """Make one for the workspace in use."""
        del config_value
        return cls(_base(), inst_data)


class WorkspaceLogs(LocalComputeLogManager):
    """Output of the steps of runs that ``dg`` starts."""

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        """Take no configuration."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> WorkspaceLogs:
        """Make one for the workspace in use."""
        del config_value
        return cls(f"{_base()}/output", inst_data=inst_data)
