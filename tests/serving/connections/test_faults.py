"""A connection that has a fault is off and says so everywhere; the others, and scoring, go on (issue 13). Real processes."""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from standardwebhooks.webhooks import Webhook

from features.kit.errors import BadInput
from serving import app as api
from serving.connections.config import load_connections, read_connections
from serving.store.connect import open_store
from serving.store.tables import decisions, inbox
from serving.worker.loop import only_one
from tests.kit.inside import running_inside
from tests.kit.running import Home, quick_home, running, running_api, wait_for

SECRET = "whsec_" + base64.b64encode(b"a key of twenty-four byte").decode()


CONNECTION = """
vendor = "standard-webhooks"
public_url = "https://scores.example.com"
secret_envs = ["{secret}"]
source = "{source}"
data = "{data}"
settle_seconds = 0.0
[objects.lead]
table = "{table}"
columns = {{ industry = "industry" }}
[writeback]
mode = "{mode}"
token_env = "NO_SUCH_TOKEN"
url = "https://example.com/hook"
[writeback.models.lead-fit]
object = "lead"
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """One good connection, and one for each way to be off."""
    made = quick_home(tmp_path_factory.mktemp("off"))
    folder = made.path / "connections"
    folder.mkdir()

    def write(
        name: str, secret: str = "GOOD_SECRET", mode: str = "off", table: str = "leads", source: str = "sample"
    ) -> None:
        text = CONNECTION.format(secret=secret, source=source, data=made.company, table=table, mode=mode)
        (folder / f"{name}.toml").write_text(text)

    write("good")
    write("unset", secret="NO_SUCH_SECRET")
    write("silent", mode="on")
    write("sourceless", source="no-such-source")
    (folder / "broken.toml").write_text("a = = 1")
    (folder / "folder.toml").mkdir()
    (folder / "dangling.toml").symlink_to(folder / "nothing")
    return made


OFF_FOR_WEBHOOKS = ["broken", "dangling", "folder", "unset"]


def delivery(record: str = "lead_7") -> tuple[str, dict[str, str]]:
    body = json.dumps(
        {
            "type": "lead.updated",
            "timestamp": "2026-01-01T00:00:00Z",
            "data": {"object": "lead", "id": record, "properties": {"industry": "software"}},
        }
    )
    moment = dt.datetime.fromtimestamp(int(time.time()), dt.UTC)
    signature = Webhook(SECRET).sign(msg_id=f"m-{record}", timestamp=moment, data=body)
    return body, {
        "webhook-id": f"m-{record}",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": signature,
    }


@pytest.fixture(scope="module")
def env() -> dict[str, str]:
    return {"GOOD_SECRET": SECRET}


@pytest.fixture(scope="module")
def url(home: Home, env: dict[str, str]) -> Iterator[str]:
    with running_api(home, env) as address:
        yield address


def test_a_folder_a_dangling_link_and_a_broken_file_are_faults_among_the_others(home: Home) -> None:
    with pytest.raises(BadInput) as caught:
        load_connections(home.path / "connections", {}, tokens_needed=True)
    text = str(caught.value)
    for name in ("broken.toml", "folder.toml", "dangling.toml", "NO_SUCH_SECRET", "NO_SUCH_TOKEN"):
        assert name in text
    found = read_connections(home.path / "connections", {"GOOD_SECRET": SECRET})
    assert sorted(found.receiving) == ["good", "silent", "sourceless"]
    assert sorted(found.off(found.unsigned)) == OFF_FOR_WEBHOOKS


def test_the_api_reports_the_faults_and_serves_the_others(home: Home, url: str) -> None:
    ready = httpx.get(f"{url}/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert ready.json()["connections_off"] == OFF_FOR_WEBHOOKS
    body, headers = delivery()
    assert httpx.post(f"{url}/webhooks/good", content=body, headers=headers).status_code == 204
    for name in OFF_FOR_WEBHOOKS:
        answer = httpx.post(f"{url}/webhooks/{name}", content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (503, "connection_off")
        assert answer.headers["retry-after"] == "60"
        assert "serving connections" in answer.json()["detail"]
    assert httpx.post(f"{url}/webhooks/none", content=body, headers=headers).status_code == 404
    score = httpx.post(f"{url}/v1/lead-fit/score", json={"records": [{"signals": {}}]})
    assert score.status_code in (200, 207)
    metrics = httpx.get(f"{url}/metrics").text
    assert 'accountscore_connection_on{connection="good"} 1.0' in metrics
    assert 'accountscore_connection_on{connection="unset"} 0.0' in metrics
    log = (home.path / "api.log").read_text()
    assert "connection.off connection=unset" in log
    assert "NO_SUCH_SECRET" in log


def test_without_the_guard_the_api_does_not_start(
    home: Home, env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sabotaged twin: as 0.1 did, it refuses to start for all."""

    def strict(folder: Path) -> Any:
        load_connections(folder)
        raise AssertionError("the connections of this test have faults")

    monkeypatch.setattr(api, "read_connections", strict)
    monkeypatch.setenv("GOOD_SECRET", SECRET)
    shared = {"ACCOUNTSCORE_CONNECTIONS": str(home.path / "connections")}
    with pytest.raises(BadInput, match="NO_SUCH_SECRET"), running_inside(tmp_path, shared):
        pass


def test_the_worker_reports_the_faults_and_scores_the_others(home: Home, env: dict[str, str], url: str) -> None:
    body, headers = delivery("lead_8")
    assert httpx.post(f"{url}/webhooks/good", content=body, headers=headers).status_code == 204
    assert httpx.post(f"{url}/webhooks/sourceless", content=body, headers=headers).status_code == 204
    store = open_store(f"sqlite:///{home.path}/store.db")

    def made() -> dict[str, str]:
        with store.read() as connection:
            return {row.entity_id: row.cause for row in connection.execute(select(decisions)) if row.cause != "request"}

    try:
        with running(home, "worker", env=env) as process:
            wait_for(lambda: process.poll() is not None or "lead_8" in made(), 120)
            assert process.poll() is None, (home.path / "worker.log").read_text()
            assert made()["lead_8"] == "webhook"
            done = home.run("serving", "backfill", "good", env=env)
            assert done.returncode == 0, done.stderr
            assert "queued for the worker that is running" in done.stdout
            wait_for(lambda: "backfill" in made().values(), 120)
        log = (home.path / "worker.log").read_text()
        for said in (
            "connection.off connection=broken",
            "connection.off connection=sourceless",
            "webhooks.off connection=unset",
            "writeback.off connection=silent",
        ):
            assert said in log
        with store.read() as connection:
            waiting = connection.execute(select(inbox.c.connection).where(inbox.c.state == "waiting")).scalars().all()
        assert waiting == ["sourceless"]  # it is worked on when its source is there
    finally:
        store.close()
    with only_one(home.path):  # the lock is free again
        pass


def test_the_command_names_each_with_its_state_and_the_next_step(home: Home, env: dict[str, str], url: str) -> None:
    done = home.run("serving", "connections", env=env)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "good\tstandard-webhooks\twebhooks on, write-back off" in lines
    assert "broken\toff" in lines
    assert any(line.startswith("unset\tstandard-webhooks\twebhooks off") for line in lines)
    assert any(line.startswith("silent\tstandard-webhooks\twebhooks on, write-back off") for line in lines)
    assert done.stdout.count("Next: ") == 5
    assert SECRET not in done.stdout


def test_a_pipe_a_device_and_deep_nesting_are_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "device.toml").symlink_to(os.devnull)
    (tmp_path / "deep.toml").write_text("a = " + "[" * 5_000 + "]" * 5_000)
    off = read_connections(tmp_path, {}).off()
    assert {name: str(faults[0]).split(": ")[1].split(". Rule")[0] for name, faults in off.items()} == {
        "pipe": "it cannot be read (it is not a file)",
        "device": "it cannot be read (it is not a file)",
        "deep": "its lists or tables are nested too deeply",
    }
    (tmp_path / "pipe.toml").unlink()  # the sabotaged twin would wait for it
    with pytest.raises(RecursionError):
        tomllib.loads((tmp_path / "deep.toml").read_text())
    monkeypatch.setattr(Path, "is_file", lambda self: True)
    assert "is not a file" not in str(read_connections(tmp_path, {}).off()["device"])
