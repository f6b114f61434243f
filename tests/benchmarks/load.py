"""A load generator that a clone has: one thread, raw sockets, epoll, one request in flight a connection.

`python -m tests.benchmarks.load` reads jobs as JSON lines and answers each with one JSON line, so that it lives in a process
of its own, on a core of its own. It costs about 20 us a request, a quarter of what the server needs for its cheapest answer.
"""

from __future__ import annotations

import itertools
import json
import select
import socket
import sys
import time
from pathlib import Path

_LENGTH = b"content-length: "


def measure(port: int, path: str, bodies: list[bytes], connections: int, seconds: float) -> dict[str, float]:
    """Requests a second, p50 and p99 in milliseconds, and how many answers were not 200. The bodies are sent in turn."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: "
    requests = itertools.cycle([f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies])
    poller = select.epoll()
    sockets: dict[int, socket.socket] = {}
    received: dict[int, bytes] = {}
    sent_at: dict[int, float] = {}
    for _ in range(connections):
        one = socket.create_connection(("127.0.0.1", port))
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sockets[one.fileno()], received[one.fileno()] = one, b""
        poller.register(one.fileno(), select.EPOLLIN)
    clock, taken, bad = time.perf_counter, [], 0
    began = clock()
    for number, one in sockets.items():
        sent_at[number] = clock()
        one.sendall(next(requests))
    end, waiting = began + seconds, connections
    last = began
    while waiting:
        for number, _ in poller.poll():
            data = received[number] + sockets[number].recv(1 << 20)
            if not _whole(data):
                if not data:
                    raise ConnectionError("the server closed a connection")
                received[number] = data
                continue
            received[number] = b""
            last = clock()
            taken.append(last - sent_at[number])
            bad += data[9:12] != b"200"
            if last < end:
                sent_at[number] = last
                sockets[number].sendall(next(requests))
            else:
                waiting -= 1
    for one in sockets.values():
        one.close()
    taken.sort()
    return {
        "rps": len(taken) / (last - began),
        "p50_ms": 1000 * taken[len(taken) // 2],
        "p99_ms": 1000 * taken[int(len(taken) * 0.99)],
        "bad": bad,
        "answers": len(taken),
    }


def _whole(data: bytes) -> bool:
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return False
    at = data.find(_LENGTH, 0, end + 2)
    if at < 0:
        at = data.lower().find(_LENGTH, 0, end + 2)
    if at < 0:
        raise ValueError("an answer without content-length")
    return len(data) - end - 4 >= int(data[at + len(_LENGTH) : data.index(b"\r\n", at)])


def main() -> None:
    for line in sys.stdin:
        job = json.loads(line)
        bodies = Path(job.pop("bodies_file")).read_bytes().splitlines()
        print(json.dumps(measure(bodies=bodies, **job)), flush=True)


if __name__ == "__main__":
    main()
