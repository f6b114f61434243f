"""Metrics say what waits and how old the signals are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import insert

from serving.store.tables import inbox
from tests.kit.account import store_signals
from tests.kit.databases import DATABASES, store_url
from tests.kit.inside import Inside, running_inside


@pytest.fixture(scope="module", params=DATABASES)
def inside(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    home = tmp_path_factory.mktemp("records") / "home"
    home.mkdir()
    with running_inside(home, {"ACCOUNTSCORE_STORE_URL": store_url(request, home)}) as running:
        yield running


def test_metrics_say_what_waits_and_how_old_the_signals_are(inside: Inside) -> None:
    store_signals(inside, "m1")
    letter = {
        "connection": "main",
        "dedupe_key": "m",
        "received_at": 2,
        "occurred_at": 1,
        "kind": "company.change",
        "object_type": "company",
        "object_id": "m",
        "state": "failed",
    }
    with inside.writing() as connection:
        connection.execute(insert(inbox).values(**letter))
    page = inside.client.get("/metrics").text
    assert 'accountscore_inbox_events{state="failed"} 1.0' in page
    assert 'accountscore_outbox_messages{state="dead"} 0.0' in page
    assert 'accountscore_signals_age_seconds{entity="account"}' in page
    assert "accountscore_dirty_entities 0.0" in page
    assert "accountscore_ready 1.0" in page  # nobody asked /readyz
