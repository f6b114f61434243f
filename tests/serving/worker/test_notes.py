"""After an outcome is told or withdrawn over HTTP the worker scores its entity anew, whoever published the note."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from features.kit.clock import parse_as_of
from features.sources.notes import files_of
from serving.connections.config import ConnectionConfig
from serving.notes import service
from serving.store.connect import Store
from serving.store.dirty_marks import mark_dirty
from serving.store.tables import decisions, dirty, signals
from serving.worker.loop import Worker
from tests.kit.databases import DATABASES, store_url
from tests.kit.inside import NOW, Inside, running_inside
from tests.kit.running import Home
from tests.kit.store_rows import signal_row

WON = {"outcome": "won", "when": "2026-02-20", "source": "sales"}
LEAD = "lead_1000150"
CRM = """
vendor = "hubspot"
public_url = "https://scores.example.com/"
secret_env = "CRM_SECRET"
source = "sample"
[objects.contact]
table = "leads"
key = "lead_{id}"
"""


@pytest.fixture(params=DATABASES)
def inside(
    request: pytest.FixtureRequest, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Inside]:
    """The API over a home with one connection."""
    monkeypatch.setenv("CRM_SECRET", "s" * 36)
    path = tmp_path / "home"
    shutil.copytree(home.path, path)
    (path / "connections").mkdir()
    (path / "connections" / "crm.toml").write_text(CRM)
    with running_inside(path, {"ACCOUNTSCORE_STORE_URL": store_url(request, path)}) as running:
        yield running


@pytest.fixture
def worker(inside: Inside, config: ConnectionConfig) -> Worker:
    """The worker beside it, when it has scored the lead."""
    state = inside.state
    seconds = itertools.count(1)

    def clock() -> datetime:
        return parse_as_of(NOW) + timedelta(seconds=next(seconds))

    made = Worker(state.store, {"crm": replace(config, settle_seconds=0.0)}, state.champions, clock)
    with state.store.write() as connection:
        mark_dirty(connection, "sample", {("lead", LEAD): 0.0}, 1)
    made.once()
    assert codes(state.store) == [None]
    return made


def codes(store: Store) -> list[str | None]:
    """Why the lead got no score, of each of its decision records; None where it got one."""
    query = select(decisions.c.no_score).where(decisions.c.entity_id == LEAD).order_by(decisions.c.id)
    with store.read() as connection:
        return list(connection.execute(query).scalars())


def marked(store: Store) -> list[tuple[Any, ...]]:
    with store.read() as connection:
        return [tuple(row) for row in connection.execute(select(dirty.c.source, dirty.c.entity, dirty.c.entity_id))]


def test_an_outcome_and_its_withdrawal_are_scored(inside: Inside, worker: Worker) -> None:
    client, store = inside.client, inside.state.store
    (told,) = client.post(f"/v1/lead/{LEAD}/outcome", json=WON).json()["results"]
    assert marked(store) == [("sample", "lead", LEAD)]
    worker.once()
    assert (codes(store), marked(store)) == ([None, "outcome_told"], [])
    assert client.request("DELETE", f"/v1/lead/{LEAD}/outcome?id={told['id']}").status_code == 204
    worker.once()
    assert codes(store) == [None, "outcome_told", None]
    (row,) = client.get(f"/v1/lead-fit/scores?q={LEAD}").json()["rows"]
    assert (row["no_score"], row["score"] is not None) == (None, True)


def test_one_that_is_not_published_yet_is_scored_all_the_same(
    inside: Inside, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API may be killed, or slow, between the commit and the file."""
    monkeypatch.setattr(service, "publish_or_tell", lambda *_: None)
    body = {"notes": [{"entity_id": LEAD, **WON}]}
    assert inside.client.post("/v1/lead/outcomes", json=body).status_code == 200
    assert files_of(inside.state.settings.base.home) == []
    worker.once()
    assert codes(inside.state.store) == [None, "outcome_told"]


def test_what_changes_no_score_marks_nothing(inside: Inside, worker: Worker) -> None:
    client, store = inside.client, inside.state.store
    action = {"action": "call", "when": "2026-02-20", "source": "sales"}
    assert client.post(f"/v1/lead/{LEAD}/action", json=action).status_code == 200
    assert client.post("/v1/lead/nobody/outcome", json=WON).status_code == 404
    assert client.request("DELETE", f"/v1/lead/{LEAD}/outcome?id=nothing").status_code == 204
    assert marked(store) == []
    assert client.post(f"/v1/lead/{LEAD}/outcome", json=WON).status_code == 200
    worker.once()
    for note in (None, "They signed."):  # the same again, and with other words
        assert client.post(f"/v1/lead/{LEAD}/outcome", json={**WON, "note": note}).status_code == 200
    assert marked(store) == []


def test_without_a_connection_nobody_waits_for_the_worker(home: Home, tmp_path: Path) -> None:
    """Marks that nobody works off would be reported as a backlog for good."""
    shutil.copytree(home.path, tmp_path / "home")
    with running_inside(tmp_path / "home") as alone:
        with alone.writing() as connection:
            connection.execute(signals.insert(), [signal_row("acme", 1)])
        given = {"outcome": "churned", "when": "2026-02-20", "source": "sales"}
        assert alone.client.post("/v1/account/acme/outcome", json=given).status_code == 200
        assert marked(alone.state.store) == []
