"""What the tests of pages share: one server of warm processes for each worker."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.docs.shell import WARM, environment


@pytest.fixture(scope="session")
def warm():
    """The socket of a server that forks a process for each call of `cdp`."""
    with tempfile.TemporaryDirectory() as folder:  # the path of a socket is short
        path = Path(folder) / "cdp"
        server = subprocess.Popen(
            [sys.executable, "-P", WARM, "serve", path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert server.stdout.readline() == "ready\n"
            yield path
        finally:
            server.terminate()
            server.communicate()


@pytest.fixture(scope="session")
def variables(tmp_path_factory, warm):
    """An environment whose `cdp` is a fork of a process that has the libraries already."""
    return environment(tmp_path_factory.mktemp("programs"), warm)
