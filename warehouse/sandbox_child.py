"""The process in which one ad-hoc query runs. It is a script: it imports nothing of this project.

Reads a request (JSON) from stdin, opens the release, gives up what it does not need, runs the query and
writes an Arrow stream to stdout. From before the query is read on, the kernel refuses it files, sockets,
programs and processes. An error goes to stderr as one line of JSON; the exit status tells wrong use (2)
from a query that failed (1).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import resource
import signal
import struct
import sys
from typing import Any, NoReturn

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_MESSAGE_CHARACTERS = 4_000
_BATCH_ROWS = 10_000
_OPEN_FILES = 64
_CATALOG = "cdp"

# Calls of the kernel that a query has no use for: machine -> (audit number, names -> numbers).
_CALLS = {
    "x86_64": (
        0xC000003E,
        {
            "open": 2, "openat": 257, "openat2": 437, "creat": 85, "open_by_handle_at": 304, "memfd_create": 319,
            "socket": 41, "connect": 42, "bind": 49, "socketpair": 53, "sendto": 44, "sendmsg": 46,
            "execve": 59, "execveat": 322, "fork": 57, "vfork": 58, "ptrace": 101, "process_vm_readv": 310,
            "process_vm_writev": 311, "kill": 62, "tkill": 200, "pidfd_open": 434, "setsid": 112, "setpgid": 109,
            "unlink": 87, "unlinkat": 263, "rename": 82, "renameat": 264, "renameat2": 316, "mkdir": 83,
            "mkdirat": 258, "rmdir": 84, "link": 86, "linkat": 265, "symlink": 88, "symlinkat": 266, "truncate": 76,
            "ftruncate": 77, "fallocate": 285, "mknod": 133, "mknodat": 259, "chmod": 90, "fchmod": 91, "chown": 92,
            "getdents64": 217, "getdents": 78, "readlink": 89, "readlinkat": 267, "chdir": 80, "fchdir": 81,
            "chroot": 161, "mount": 165, "unshare": 272, "setns": 308, "bpf": 321, "io_uring_setup": 425,
            "perf_event_open": 298, "userfaultfd": 323, "keyctl": 250, "add_key": 248, "request_key": 249,
            "setrlimit": 160, "prlimit64": 302, "pwrite64": 18, "pwritev": 296, "shmget": 29, "msgget": 68,
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            "openat": 56, "openat2": 437, "open_by_handle_at": 265, "memfd_create": 279, "socket": 198,
            "connect": 203, "bind": 200, "socketpair": 199, "sendto": 206, "sendmsg": 211, "execve": 221,
            "execveat": 281, "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kill": 129,
            "tkill": 130, "pidfd_open": 434, "setsid": 157, "setpgid": 154, "unlinkat": 35, "renameat": 38,
            "renameat2": 276, "mkdirat": 34, "linkat": 37, "symlinkat": 36, "truncate": 45, "ftruncate": 46,
            "fallocate": 47, "mknodat": 33, "fchmod": 52, "fchmodat": 53, "fchown": 55, "fchownat": 54,
            "getdents64": 61, "readlinkat": 78, "chdir": 49, "fchdir": 50, "chroot": 51, "mount": 40, "unshare": 97,
            "setns": 268, "bpf": 280, "io_uring_setup": 425, "perf_event_open": 241, "userfaultfd": 282,
            "keyctl": 219, "add_key": 217, "request_key": 218, "setrlimit": 164, "prlimit64": 261, "pwrite64": 68,
            "pwritev": 70, "shmget": 194, "msgget": 186,
        },
    ),
}  # fmt: skip
_CLONE = {"x86_64": (56, 435), "aarch64": (220, 435)}
_CLONE_THREAD = 0x10000
_EPERM, _ENOSYS = 1, 38
_FIRST_X32 = 0x40000000


def _give_up_rights(request: dict[str, Any]) -> None:
    """Limit CPU seconds, address space, written files; die with the parent; never gain rights."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    limits = {
        resource.RLIMIT_CPU: int(request["seconds"]) + 1,
        resource.RLIMIT_AS: int(request["address_space"]),
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
    }
    for which, limit in limits.items():
        resource.setrlimit(which, (limit, limit))


def _filter(machine: str) -> bytes:
    """Return the program of the kernel's filter: what is listed fails, new processes too (threads may be)."""
    audit, calls = _CALLS[machine]
    clone, clone3 = _CLONE[machine]

    def step(code: int, value: int, if_so: int = 0, else_: int = 0) -> bytes:
        return struct.pack("HBBI", code, if_so, else_, value)

    load, equal, at_least, has_bits, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, kill, refuse = 0x7FFF0000, 0x80000000, 0x00050000
    program = [
        step(load, 4), step(equal, audit, 1), step(answer, kill),
        step(load, 0), step(at_least, _FIRST_X32, 0, 1), step(answer, refuse | _EPERM),
        # Without clone3, the C library takes clone, whose flags a filter can see.
        step(equal, clone3, 0, 1), step(answer, refuse | _ENOSYS),
    ]  # fmt: skip
    for number in sorted(calls.values()):
        program += [step(equal, number, 0, 1), step(answer, refuse | _EPERM)]
    program += [
        step(equal, clone, 1),
        step(answer, allow),
        step(load, 16),
        step(has_bits, _CLONE_THREAD, 0, 1),
    ]
    return b"".join([*program, step(answer, allow), step(answer, refuse | _EPERM)])


def _shut_the_kernel() -> None:
    """Install the filter, where the machine is one whose calls are known; it cannot be taken off again."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _CALLS:
        return
    program = ctypes.create_string_buffer(code := _filter(machine), len(code))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(program)))
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header, 0, 0):
        # Kernels and containers without seccomp: the other walls stand.
        return


def _fail(kind: str, message: str, status: int) -> NoReturn:
    data = json.dumps({"kind": kind, "message": message[:_MESSAGE_CHARACTERS]}).encode()
    with contextlib.suppress(OSError):
        os.write(2, data)
    os._exit(status)


def _locked(request: dict[str, Any]) -> Any:
    """Open the release so that a query can read its tables and nothing else; the lock comes last."""
    import duckdb

    config = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "allow_persistent_secrets": False,
        "threads": 1,
        "memory_limit": request["memory_limit"],
        "temp_directory": "",
        "secret_directory": "",
    }
    connection = duckdb.connect(":memory:", config=config)
    place = request["database"].replace("'", "''")
    connection.execute(f"ATTACH '{place}' AS {_CATALOG} (READ_ONLY)")
    connection.execute(f"USE {_CATALOG}")
    for setting in (
        "TimeZone = 'UTC'",
        "python_enable_replacements = false",
        f"max_execution_time = {int(request['seconds']) * 1000}",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")
    return connection


def _one_select(connection: Any, query: str) -> Any:
    statements = connection.extract_statements(query)
    if len(statements) != 1:
        _fail("usage", f"Exactly one query is expected; {len(statements)} statements were given.", 2)
    statement = statements[0]
    try:
        kind = str(statement.type).rpartition(".")[2]
    except ValueError:  # kinds that the Python package has no name for
        kind = "special"
    if kind != "SELECT":
        _fail("usage", f"Only SELECT reads; a {kind} statement was given. Releases are never changed.", 2)
    return statement


def main() -> None:
    """Serve one request."""
    request = json.loads(sys.stdin.buffer.read())
    import duckdb
    import pyarrow as pa

    _give_up_rights(request)
    wrong = (
        duckdb.ParserException,
        duckdb.BinderException,
        duckdb.CatalogException,
        duckdb.PermissionException,
    )
    try:
        connection = _locked(request)
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        _shut_the_kernel()
        reader = connection.sql(_one_select(connection, request["query"])).to_arrow_reader(_BATCH_ROWS)
        with pa.ipc.new_stream(sys.stdout.buffer, reader.schema) as stream:
            for batch in reader:
                stream.write_batch(batch)
        sys.stdout.buffer.flush()
    except wrong as error:
        _fail("usage", str(error), 2)
    except duckdb.InterruptException:
        _fail("timeout", "", 1)
    except (duckdb.OutOfMemoryException, MemoryError):
        _fail("memory", "", 1)
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        _fail("failed", str(error), 1)
    os._exit(0)


if __name__ == "__main__":
    main()
