"""A load generator for the collector: one process, many connections, requests made of prepared pieces.

    python -m benchmarks.collect_load PORT KEY --batch 100 --connections 64 --seconds 5 [--rate 500]

Without ``--rate`` each connection sends its next request when it has the answer to the last one. With it, requests
are due at fixed times, and a latency counts from when its request was due, not from when a connection was free.
Prints JSON: requests, events, seconds, statuses, and latencies in milliseconds.
"""

from __future__ import annotations

import argparse
import base64
import json
import select
import socket
import time
from collections import Counter, deque
from typing import Any, Final

_TOKEN: Final = b"@@@@@@@@@@@@"


def event(number: int) -> dict[str, Any]:
    """Return an event of about 700 bytes, as a browser's client sends it; the token becomes a number of its own."""
    return {
        "type": "track",
        "event": "Product Viewed",
        "userId": f"u{number % 5_000}",
        "anonymousId": "f2b1c3d4-0000-4000-8000-@@@@@@@@@@@@",
        "messageId": f"ajs-next-1795000000000-{number:03d}-@@@@@@@@@@@@",
        "timestamp": "2026-11-22T10:00:00.000Z",
        "context": {
            "library": {"name": "analytics.js", "version": "npm:next-1.81.0"},
            "page": {
                "path": f"/p/{number}",
                "title": "Shoes",
                "url": f"https://shop.example/p/{number}",
                "search": "",
            },
            "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142 Safari",
            "locale": "en-GB",
            "timezone": "Europe/London",
        },
        "properties": {"product_id": f"p{number}", "name": "Running shoe", "price": 79.99, "currency": "GBP"},
        "integrations": {
            "All": True,
            "Segment.io": {"unbundled": [], "bundledIds": [], "maybeBundledConfigIds": {}},
        },
    }


def pieces(key: str, batch: int) -> list[bytes]:
    """Return a request in pieces, between which a token of 12 digits goes."""
    events = [event(number) for number in range(batch)]
    content = {"batch": events, "sentAt": "2026-11-22T10:00:01.000Z"} if batch > 1 else events[0]
    body = json.dumps(content, separators=(",", ":")).encode()
    head = (
        f"POST /v1/{'batch' if batch > 1 else 'track'} HTTP/1.1\r\nhost: localhost\r\n"
        f"authorization: Basic {base64.b64encode(f'{key}:'.encode()).decode()}\r\n"
        f"content-type: application/json\r\nuser-agent: load/1\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return (head.encode() + body).split(_TOKEN)


class Load:
    """Connections at work; ``started`` numbers the requests from a start of its own, so that ids differ."""

    def __init__(self, port: int, parts: list[bytes], connections: int, first: int) -> None:
        self._parts, self._number = parts, first
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

    def _send(self, number: int, since: float) -> None:
        self._number += 1
        self._since[number] = since
        self._sockets[number].sendall((b"%012d" % self._number).join(self._parts))

    def _answers(self, wait: float) -> list[int]:
        done = []
        for number, _ in self._epoll.poll(wait):
            answer = self._sockets[number].recv(65_536)
            if not answer:
                raise SystemExit(f"the collector closed a connection; {dict(self.statuses)}")
            answer = self._partial.pop(number, b"") + answer
            if not answer.rstrip().endswith(b"}"):  # every answer is a JSON object
                self._partial[number] = answer
                continue
            self.statuses[answer[9:12].decode()] += 1
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
    parser.add_argument("key")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=float)
    given = parser.parse_args()
    load = Load(given.port, pieces(given.key, given.batch), given.connections, time.time_ns() % 10**11)
    took = load.paced(given.seconds, given.rate) if given.rate else load.closed(given.seconds)
    ordered = sorted(load.latencies)
    at = {
        name: round(1_000 * ordered[int(len(ordered) * share)], 2)
        for name, share in (("p50", 0.5), ("p99", 0.99))
    }
    found = {"requests": len(ordered), "events": len(ordered) * given.batch, "seconds": round(took, 2)}
    bytes_per_event = round(sum(map(len, pieces(given.key, given.batch))) / given.batch)
    print(json.dumps(found | {"statuses": load.statuses, "ms": at, "bytes_per_event": bytes_per_event}))


if __name__ == "__main__":
    main()
