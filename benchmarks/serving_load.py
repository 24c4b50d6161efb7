"""A load generator for the server: one process, many connections, requests from a file, in turn.

    python -m benchmarks.serving_load PORT REQUESTS.json --connections 8 --seconds 5 [--rate 500]

Without ``--rate`` each connection sends its next request when it has the answer to the last one. With it, requests
are due at fixed times, and a latency counts from when its request was due, not from when a connection was free.
Prints JSON: requests, seconds, statuses, bytes, latencies in milliseconds.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import time
from collections import Counter, deque
from pathlib import Path


def request(method: str, path: str, head: str, body: str = "") -> str:
    """Return a request as it goes over the wire; ``head`` is of whole header lines."""
    given = body.encode()
    kind = "content-type: application/json\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nhost: localhost\r\n{head}{kind}content-length: {len(given)}\r\n\r\n{body}"


def length_of(answer: bytes) -> int | None:
    r"""Return how long an answer is, or None while its head is not whole.

    >>> length_of(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
    40
    """
    head, found, _ = answer.partition(b"\r\n\r\n")
    if not found:
        return None
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(head) + 4 + int(line[15:])
    return len(head) + 4


class Load:
    """Connections at work."""

    def __init__(self, port: int, requests: list[bytes], connections: int) -> None:
        self._requests, self._number = requests, 0
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        for _ in range(connections):
            one = socket.create_connection(("127.0.0.1", port))
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets[one.fileno()] = one
            self._epoll.register(one, select.EPOLLIN)
        self._since: dict[int, float] = {}
        self._partial: dict[int, bytes] = {}
        self.statuses: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.bytes = 0

    def _send(self, number: int, since: float) -> None:
        self._since[number] = since
        self._sockets[number].sendall(self._requests[self._number % len(self._requests)])
        self._number += 1

    def _answers(self, wait: float) -> list[int]:
        done = []
        for number, _ in self._epoll.poll(wait):
            got = self._sockets[number].recv(262_144)
            if not got:
                raise SystemExit(f"the server closed a connection; {dict(self.statuses)}")
            answer = self._partial.pop(number, b"") + got
            length = length_of(answer)
            if length is None or len(answer) < length:
                self._partial[number] = answer
                continue
            self.statuses[answer[9:12].decode()] += 1
            self.bytes += len(answer)
            self.latencies.append(time.perf_counter() - self._since.pop(number))
            done.append(number)
        return done

    def closed(self, seconds: float) -> float:
        """Keep every connection busy; return how long it took."""
        start = time.perf_counter()
        for number in self._sockets:
            self._send(number, time.perf_counter())
        while time.perf_counter() - start < seconds:
            for number in self._answers(1.0):
                self._send(number, time.perf_counter())
        return self._drain(start)

    def paced(self, seconds: float, rate: float) -> float:
        """Send ``rate`` requests a second, whatever the answers do; return how long it took."""
        start, sent = time.perf_counter(), 0
        idle = deque(self._sockets)
        while True:
            now = time.perf_counter() - start
            if now >= seconds:
                return self._drain(start)
            while idle and sent <= now * rate:
                self._send(idle.popleft(), start + sent / rate)
                sent += 1
            idle.extend(self._answers(max(0.0, min(0.01, sent / rate - now)) if idle else 0.01))

    def _drain(self, start: float) -> float:
        while self._since:
            self._answers(1.0)
        return time.perf_counter() - start


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("requests", type=Path)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=float)
    given = parser.parse_args()
    texts = json.loads(given.requests.read_text())
    load = Load(given.port, [text.encode() for text in texts], given.connections)
    took = load.paced(given.seconds, given.rate) if given.rate else load.closed(given.seconds)
    ordered = sorted(load.latencies)
    at = {
        name: round(1_000 * ordered[int(len(ordered) * share)], 2)
        for name, share in (("p50", 0.5), ("p99", 0.99))
    }
    found = {"requests": len(ordered), "seconds": round(took, 3), "statuses": load.statuses, "ms": at}
    print(json.dumps(found | {"bytes": load.bytes // max(len(ordered), 1)}))


if __name__ == "__main__":
    main()
