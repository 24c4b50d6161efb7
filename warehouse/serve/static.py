"""Static files: only those that are there when the server starts, kept in memory, packed once."""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from warehouse.serve.compression import LEAST_BYTES, gzipped, takes_gzip

VERSION_DIGITS: Final = 12
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"
_TYPES: Final = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}


@dataclass(frozen=True)
class _File:
    content: bytes
    packed: bytes | None
    version: str
    changed: int


class Static:
    """An ASGI application: ``/static/<name>?v=<version>`` may be kept for ever, without version never."""

    def __init__(self, folder: Path) -> None:
        self._paths = {
            path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()
        }
        self._files: dict[str, _File] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a file."""
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        name = scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/")
        path = self._paths.get(name)
        if path is None:
            raise HTTPException(404, "There is no such file.")
        await self._answer(scope, path, self._read(name, path))(scope, receive, send)

    def _read(self, name: str, path: Path) -> _File:
        changed = path.stat().st_mtime_ns
        found = self._files.get(name)
        if found is None or found.changed != changed:
            content = path.read_bytes()
            version = hashlib.sha256(content).hexdigest()[:VERSION_DIGITS]
            packed = gzipped(content, 9) if len(content) >= LEAST_BYTES else None
            found = self._files[name] = _File(content, packed, version, changed)
        return found

    def _answer(self, scope: Scope, path: Path, file: _File) -> Response:
        given = parse_qs(scope["query_string"].decode("latin-1")).get("v", [""])[0]
        kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        headers = {
            "etag": f'W/"{file.version}"',
            "cache-control": _FOR_EVER if given == file.version else _ASK_AGAIN,
            "vary": "Accept-Encoding",
        }
        wanted = [value for name, value in scope["headers"] if name == b"if-none-match"]
        if any(file.version.encode() in value for value in wanted):
            return Response(status_code=304, headers=headers)
        if file.packed is not None and takes_gzip(scope):
            return Response(file.packed, headers={**headers, "content-encoding": "gzip"}, media_type=kind)
        return Response(file.content, headers=headers, media_type=kind)
