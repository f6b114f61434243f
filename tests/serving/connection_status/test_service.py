"""How a connection stands: on, off and why; of a file with a fault the name and the fault, and never a secret."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.connection_status import repository, service
from serving.connection_status.schemas import ConnectionShown
from serving.connection_status.service import Read
from serving.connections.config import read_connections
from serving.store.connect import Store
from tests.kit.connection_files import ENV, GOOD
from tests.kit.queued import put_dirty, put_event, put_write
from tests.kit.stores import new_store

WRITES = """
[writeback]
mode = "on"
token_env = "CRM_TOKEN"
[writeback.models.lead-fit]
object = "contact"
score = "fit"
"""
SECRET = "s3cr3t-4711-never-to-be-shown-to-anybody"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = new_store(tmp_path / "store")
    yield made
    made.close()


def stands(store: Store, folder: Path, env: dict[str, str], **files: str) -> dict[str, ConnectionShown]:
    for name, content in files.items():
        (folder / f"{name}.toml").write_text(content)
    answer = service.connections(store, Read(read_connections(folder, env), folder))
    return {each.name: each for each in answer.connections}


def test_one_that_is_on(store: Store, tmp_path: Path) -> None:
    second = 1_000_000
    for at in (10, 20):
        put_event(store, "crm", "waiting", at * second)
    put_write(store, "crm", "waiting", 30 * second)
    put_write(store, "crm", "sent", 1, sent_at=40 * second)
    put_write(store, "crm", "dead", 50 * second, error="HTTP 400")
    put_event(store, "crm", "failed", 60 * second, "no such object")
    put_dirty(store, "sample")
    put_dirty(store, "sample", "it cannot be scored: ValueError")
    found = stands(store, tmp_path, {**ENV, "CRM_TOKEN": SECRET}, crm=GOOD + WRITES)["crm"]
    assert (found.vendor, found.source, found.webhooks, found.write_back) == ("hubspot", "sample", "on", "on")
    assert found.faults == []
    assert (found.inbox.waiting, found.inbox.or_more, found.inbox.oldest_at) == (2, False, "1970-01-01T00:00:10Z")
    assert (found.last_event_at, found.last_sent_at) == ("1970-01-01T00:01:00Z", "1970-01-01T00:00:40Z")
    assert (found.outbox.waiting, found.outbox.oldest_at) == (1, "1970-01-01T00:00:30Z")
    letters = found.dead_letters
    assert (letters.scores.count, letters.scores.newest_at, letters.scores.why) == (
        1,
        "1970-01-01T00:00:50Z",
        "HTTP 400",
    )
    assert (letters.events.count, letters.events.why) == (1, "no such object")
    assert (found.to_score, letters.entities.count) == (1, 1)


def test_one_without_its_secrets_is_off_and_says_which(store: Store, tmp_path: Path) -> None:
    found = stands(store, tmp_path, {"CRM_SECRET": SECRET}, crm=GOOD + WRITES)["crm"]
    assert (found.webhooks, found.write_back) == ("off", "off")
    assert [fault.partition(":")[0] for fault in found.faults] == [
        "crm.toml, environment variable CRM_SECRET_OLD",
        "crm.toml, environment variable CRM_TOKEN",
    ]
    assert all("Next: " in fault for fault in found.faults)


def test_a_file_with_a_fault_is_listed_beside_the_others(store: Store, tmp_path: Path) -> None:
    put_event(store, "broken", "waiting", 1)
    env = {**ENV, "CRM_TOKEN": SECRET}
    found = stands(store, tmp_path, env, broken="vendor = [", crm=GOOD, wrong=GOOD.replace("hubspot", "nobody"))
    assert list(found) == ["broken", "crm", "wrong"]
    assert found["crm"].webhooks == "on"
    assert (found["broken"].vendor, found["broken"].webhooks) == (None, "off")
    assert found["broken"].faults[0].startswith("broken.toml: ")
    assert found["broken"].inbox.waiting == 1, "what came before it broke still waits"
    assert found["wrong"].faults


def test_a_secret_in_the_wrong_place_is_not_shown(store: Store, tmp_path: Path) -> None:
    pasted = GOOD.replace('"CRM_SECRET"', f'"{SECRET}"') + WRITES.replace("CRM_TOKEN", SECRET)
    found = stands(store, tmp_path, ENV, crm=pasted)["crm"]
    assert found.faults
    assert SECRET not in repr(found)
    assert str(tmp_path) not in repr(found), "nor where the files are"


def test_one_with_more_than_is_counted_says_so(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (repository, service):
        monkeypatch.setattr(module, "MOST_COUNTED", 2)
    for at in range(1, 5):
        put_event(store, "crm", "waiting", at)
    found = stands(store, tmp_path, ENV, crm=GOOD)["crm"]
    assert (found.inbox.waiting, found.inbox.or_more) == (2, True)
    assert found.outbox.or_more is False


def test_none_at_all(store: Store, tmp_path: Path) -> None:
    assert stands(store, tmp_path / "no folder", ENV) == {}
