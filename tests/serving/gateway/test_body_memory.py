"""The memory of the API under requests that are made to be large: a real process, its peak, and a figure."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from serving.gateway import body_memory as module
from serving.gateway.body_memory import Memory
from serving.problems import Problem
from tests.kit.running import free_port, quick_home, running, wait_for

SCORE = "/v1/lead-fit/score"
LARGEST = 8 * 1024 * 1024
MOST_MB = 900
"""Above what the process has before; 264 were measured with twelve requests of 8 MiB at once, and 0.6 s for the slowest /healthz
among ten other busy processes on two cores."""


def names(count: int) -> bytes:
    return b'{"records":[{"signals":{' + b",".join(b'"s%d":1' % i for i in range(count)) + b"}}]}"


HOSTILE = {
    "unknown names": names(700_000),
    "unknown names in many records": json.dumps(
        {"records": [{"signals": {f"n{i}": 1 for i in range(800)}}] * 900}
    ).encode()[: LARGEST - 1],
    "one long name": b'{"records":[{"signals":{"' + b"n" * 8_000_000 + b'":1}}]}',
    "unknown keys": b'{"records":[{' + b",".join(b'"k%d":[]' % i for i in range(600_000)) + b"}]}",
    "nested": b'{"records":' + b"[" * 8_000_000,
    "empty lists": b'{"records":[' + b"[]," * 2_700_000 + b"[]]}",
}


def peak_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) / 1024


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    home = quick_home(tmp_path_factory.mktemp("memory"), models=("lead-fit",))
    assert home.run("serving", "migrate").returncode == 0
    port = free_port()
    url = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        try:
            return httpx.get(f"{url}/readyz").status_code == 200
        except httpx.HTTPError:
            return False

    # A machine that is slow is no slow client here.
    with running(home, "api", "--port", str(port), env={"ACCOUNTSCORE_CLIENT_SECONDS": "600"}, fresh=True) as process:
        wait_for(ready)
        yield process.pid, url


def test_requests_made_to_be_large_take_a_bounded_memory_and_nobody_else_waits(api: tuple[int, str]) -> None:
    pid, url = api
    before = peak_mb(pid)
    packed = {kind: gzip.compress(body, 1) for kind, body in HOSTILE.items()}

    def send(kind: str) -> tuple[str, int, int]:
        headers = {"content-type": "application/json", "content-encoding": "gzip"}
        answer = httpx.post(url + SCORE, content=packed[kind], headers=headers, timeout=300)
        return kind, answer.status_code, len(answer.content)

    done = threading.Event()
    slowest = [0.0]

    def watch() -> None:
        while not done.is_set():
            slowest[0] = max(slowest[0], httpx.get(f"{url}/healthz", timeout=120).elapsed.total_seconds())

    watching = threading.Thread(target=watch)
    watching.start()
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(send, [*HOSTILE, *HOSTILE]))
    done.set()
    watching.join()
    more = peak_mb(pid) - before
    print(
        f"peak {more:.0f} MB above {before:.0f} MB, slowest /healthz {slowest[0]:.2f} s, answers {sorted(set(answers))}"
    )
    assert {status for _, status, _ in answers} <= {207, 400, 413, 422, 503}
    assert max(size for _, _, size in answers) < 700_000
    assert more < MOST_MB
    # None of it stays: an ordinary request is answered as before.
    assert httpx.post(url + SCORE, json={"records": [{"signals": {}}]}, timeout=60).status_code == 200


class TestMemory:
    def test_many_large_ones_are_told_to_come_again_and_small_ones_pass(self, monkeypatch: pytest.MonkeyPatch) -> None:
        memory = Memory()
        held = [memory.request() for _ in range(8)]
        for each in held:
            each.more(LARGEST)
        with pytest.raises(Problem) as refused:
            memory.request().more(LARGEST)
        assert (refused.value.status, refused.value.retry_after_seconds) == (503, 1)
        memory.request().more(module.FREE_BYTES)
        for each in held:
            each.release()
            each.release()
        assert memory.held == 0
        memory.request().more(LARGEST)
        monkeypatch.setattr(module, "LARGEST_SUM", 10**12)  # the sabotaged twin
        for _ in range(100):
            memory.request().more(LARGEST)
