"""``profiles.idx``: every profile of a release, found by any identifier in microseconds.

Beside ``cdp.duckdb`` lies one more file, made from it when a release is built: the customers' documents
(:mod:`warehouse.documents`), a few to a compressed block, and a sorted array of 64-bit hashes of their keys
with the number of the customer. Both are read through a memory map: a look-up is a binary search and one
block. Hashes are no proof: what is found is compared with the document itself, so equal hashes do no harm.

The file: eight magic bytes, the length of a JSON header (u32), the header, then the sections that it names,
all numbers little-endian. Sections: ``data`` (blocks; inside: u32 lengths of its documents, then those),
``offsets`` and ``sizes`` (u64 where a block begins, u32 its size uncompressed), ``hashes`` (u64, sorted) and
``rows`` (u32, the customer of the hash; customers are numbered in the order of their ids).
"""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cdp.errors import CorruptError
from warehouse import documents

if TYPE_CHECKING:
    import duckdb

FILE: Final = "profiles.idx"
MAX_FOUND: Final = 20
_MAGIC: Final = b"CDPPROF1"
_BLOCK: Final = 8
_CHUNK: Final = 25_000
_LEVEL: Final = 1
_ALIGN: Final = 64
_DTYPES: Final = {"offsets": "<u8", "sizes": "<u4", "hashes": "<u8", "rows": "<u4"}

# What a customer is found by. The text before the colon has none itself: no two keys are spelled alike.
CUSTOMER: Final = "customer_id"
RETIRED: Final = "retired_id"
RECORD: Final = "record_key"
_KEYS: Final = f"""
    SELECT '{CUSTOMER}:' || customer_id AS key, customer_id FROM customers
    UNION ALL SELECT '{RETIRED}:' || previous_customer_id, customer_id FROM customer_redirects
    UNION ALL SELECT '{RECORD}:' || record_key, customer_id FROM customer_records
    UNION ALL SELECT DISTINCT type || ':' || value, customer_id FROM customer_identifiers
"""

Numbers = npt.NDArray[Any]


def key_hash(kind: str, value: str) -> int:
    """Return the first 64 bits of the MD5 of a key, as DuckDB's ``md5_number_upper`` does.

    >>> key_hash("email", "ann@example.com") == key_hash("handle", "ann@example.com")
    False
    """
    text = f"{kind}:{value}".encode(errors="surrogatepass")
    return int.from_bytes(hashlib.md5(text, usedforsecurity=False).digest()[:8], "little")


@dataclass
class _Writer:
    """Writes sections one after the other, and the header at the end."""

    handle: BinaryIO
    sections: dict[str, tuple[int, int]]

    def add(self, name: str, parts: Iterator[bytes]) -> None:
        self.handle.write(b"\0" * (-self.handle.tell() % _ALIGN))
        start = self.handle.tell()
        for part in parts:
            self.handle.write(part)
        self.sections[name] = (start, self.handle.tell() - start)


def write(connection: duckdb.DuckDBPyConnection, path: Path, *, mask: int = 2**64 - 1) -> int:
    """Write the index of the release that ``connection`` has open; return how many customers it holds.

    ``mask`` cuts hashes short, so that a test can see equal ones. Memory: that of 25,000 documents.
    """
    offsets: list[int] = [0]
    sizes: list[int] = []
    with path.open("wb") as handle:
        handle.write(bytes(_ALIGN))
        writer = _Writer(handle, {})
        writer.add("data", _blocks(connection, offsets, sizes))
        for name, array in {
            "offsets": np.asarray(offsets, _DTYPES["offsets"]),
            "sizes": np.asarray(sizes, _DTYPES["sizes"]),
            **_keys(connection, mask),
        }.items():
            writer.add(name, iter([array.astype(_DTYPES[name], copy=False).tobytes()]))
        header = _header(connection) | {"block": _BLOCK, "mask": mask, "sections": writer.sections}
        text = json.dumps(header).encode()
        place = handle.tell()
        handle.write(text)
        handle.seek(0)
        handle.write(_MAGIC + place.to_bytes(8, "little") + len(text).to_bytes(4, "little"))
    return int(header["customers"])


def _header(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Return what a look-up needs to know of the release besides."""
    ((region,),) = connection.execute("SELECT default_region FROM cdp_release").fetchall()
    ((customers,),) = connection.execute("SELECT count(*) FROM customers").fetchall()
    types = connection.execute("SELECT DISTINCT type FROM customer_identifiers ORDER BY type").fetchall()
    return {"customers": customers, "default_region": region, "types": [row[0] for row in types]}


def _blocks(connection: duckdb.DuckDBPyConnection, offsets: list[int], sizes: list[int]) -> Iterator[bytes]:
    """Yield the compressed blocks, in the order of the customers; note where each begins and its size."""
    codec = pa.Codec("zstd", _LEVEL)
    for first, last in _ranges(connection):
        column = documents.of_range(connection, first, last)["document"].cast(pa.large_string())
        array = pa.concat_arrays(column.chunks)
        _, starts, data = array.buffers()
        places = np.frombuffer(starts, np.int64)[array.offset : array.offset + len(array) + 1]
        lengths = np.diff(places).astype("<u4")
        body = memoryview(data)
        for begin in range(0, len(array), _BLOCK):
            end = min(begin + _BLOCK, len(array))
            block = lengths[begin:end].tobytes() + body[places[begin] : places[end]].tobytes()
            packed: bytes = codec.compress(block, asbytes=True)
            sizes.append(len(block))
            offsets.append(offsets[-1] + len(packed))
            yield packed


def _ranges(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Return the first and last id of every 25,000 customers: a multiple of a block's."""
    rows = connection.execute(
        "SELECT min(customer_id), max(customer_id) FROM "
        f"(SELECT customer_id, (row_number() OVER (ORDER BY customer_id) - 1) // {_CHUNK} AS part FROM customers) "
        "GROUP BY part ORDER BY part"
    ).fetchall()
    return [(str(first), str(last)) for first, last in rows]


def _keys(connection: duckdb.DuckDBPyConnection, mask: int) -> dict[str, Numbers]:
    found = connection.sql(
        "WITH numbered AS (SELECT customer_id, row_number() OVER (ORDER BY customer_id) - 1 AS row FROM customers) "
        f"SELECT md5_number_upper(k.key) & {mask}::UBIGINT AS hash, n.row::UINTEGER AS row "
        f"FROM ({_KEYS}) AS k JOIN numbered AS n USING (customer_id)"
    ).to_arrow_table()
    hashes, rows = found["hash"].to_numpy(), found["row"].to_numpy()
    order = np.lexsort((rows, hashes))
    hashes, rows = hashes[order], rows[order]
    # Two keys of one customer may have equal hashes.
    first = np.ones(len(rows), bool)
    first[1:] = (hashes[1:] != hashes[:-1]) | (rows[1:] != rows[:-1])
    return {"hashes": hashes[first], "rows": rows[first]}


class ProfileIndex:
    """An open index; any number of threads may read it at once."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as handle:
            self._map = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        if self._map[:8] != _MAGIC:
            raise CorruptError(f"{path} is no profile index.", hint="Publish again: `cdp publish`.")
        place, length = (int.from_bytes(self._map[a:b], "little") for a, b in ((8, 16), (16, 20)))
        header = json.loads(self._map[place : place + length])
        self.customers: int = header["customers"]
        self.default_region: str | None = header["default_region"]
        self.types: tuple[str, ...] = tuple(header["types"])
        self._block: int = header["block"]
        self._mask: int = header["mask"]
        sections = header["sections"]
        self._data: int = sections["data"][0]
        self._offsets, self._sizes, self._hashes, self._rows = (
            self._array(name, sections[name]) for name in _DTYPES
        )

    def _array(self, name: str, place: Sequence[int]) -> Numbers:
        kind = np.dtype(_DTYPES[name])
        return np.frombuffer(self._map, kind, place[1] // kind.itemsize, place[0])

    def rows(self, kind: str, value: str) -> Numbers:
        """Return the numbers of the customers that may have this key, in the order of their ids."""
        wanted = np.uint64(key_hash(kind, value) & self._mask)
        first = int(self._hashes.searchsorted(wanted))
        if first == len(self._hashes) or self._hashes[first] != wanted:
            return self._rows[:0]
        return self._rows[first : int(self._hashes.searchsorted(wanted, "right"))]

    def document(self, row: int) -> bytes:
        """Return the document of the customer of this number."""
        block, inside = divmod(int(row), self._block)
        start, end = (self._data + int(self._offsets[block + i]) for i in (0, 1))
        size = int(self._sizes[block])
        raw: bytes = pa.decompress(memoryview(self._map)[start:end], size, codec="zstd", asbytes=True)
        count = min(self._block, self.customers - block * self._block)
        lengths = np.frombuffer(raw, "<u4", count)
        begin = 4 * count + int(lengths[:inside].sum())
        return raw[begin : begin + int(lengths[inside])]

    def __len__(self) -> int:
        return self.customers
