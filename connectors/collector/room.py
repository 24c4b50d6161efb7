"""Whether there is room for more: on the disk, and in what waits to be landed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from cdp.settings.collecting import CollectSettings


class Room:
    """Says what stands against taking more events, looking at most once a second; empty where nothing does."""

    def __init__(
        self, folder: Path, settings: CollectSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder, self._settings, self._clock = folder, settings, clock
        self._looked = float("-inf")
        self._problem = ""
        self.unlanded = 0
        """Bytes of segments that wait to be landed, at the last look."""

    def __call__(self) -> str:
        """Return ``disk_full``, ``too_much_unlanded``, or the empty text."""
        now = self._clock()
        if now - self._looked >= 1.0:
            self._looked, self._problem = now, self._look()
        return self._problem

    def _look(self) -> str:
        try:
            disk = os.statvfs(self._folder)
            if disk.f_bavail * disk.f_frsize < self._settings.min_free_bytes:
                return "disk_full"
            with os.scandir(self._folder) as entries:
                self.unlanded = sum(entry.stat().st_size for entry in entries)
        except OSError:  # a segment that has just landed is gone; a broken disk shows when it is written to
            return self._problem
        return "too_much_unlanded" if self.unlanded > self._settings.max_unlanded_bytes else ""
