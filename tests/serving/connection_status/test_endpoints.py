"""`/v1/connections` after a real webhook, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.store.connect import Store
from tests.kit.databases import DATABASES, store_url
from tests.kit.inside import Inside, is_problem, running_inside
from tests.kit.queued import put_write
from tests.kit.status_hooks import CONNECTION, SECRET, hook


@pytest.fixture(scope="module", params=DATABASES)
def inside(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    home = tmp_path_factory.mktemp("status") / "home"
    (home / "connections").mkdir(parents=True)
    (home / "connections" / "crm.toml").write_text(CONNECTION)
    (home / "connections" / "off.toml").write_text(CONNECTION.replace("STATUS_SECRET", "NOT_SET"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STATUS_SECRET", SECRET)
        with running_inside(home, {"ACCOUNTSCORE_STORE_URL": store_url(request, home)}) as running:
            yield running


class TestConnections:
    def test_an_event_that_came_and_a_score_that_waits(self, inside: Inside) -> None:
        before = {each["name"]: each for each in inside.client.get("/v1/connections").json()["connections"]}
        assert before["crm"]["last_event_at"] is None
        assert hook(inside.client, "msg_1").status_code == 204
        put_write(inside.state.store, "crm", "waiting", 1_000_000)
        after = {each["name"]: each for each in inside.client.get("/v1/connections").json()["connections"]}
        crm, off = after["crm"], after["off"]
        assert (crm["webhooks"], crm["inbox"]["waiting"], crm["outbox"]["waiting"]) == ("on", 1, 1)
        assert crm["last_event_at"] == crm["inbox"]["oldest_at"]
        assert (off["webhooks"], off["inbox"]["waiting"]) == ("off", 0)
        assert "NOT_SET" in off["faults"][0]

    def test_head_and_other_methods(self, inside: Inside) -> None:
        assert inside.client.request("HEAD", "/v1/connections").status_code == 200
        assert is_problem(inside.client.post("/v1/connections", json={}), 405, "no_such_method")

    def test_a_store_that_is_away(self, inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
        from serving.errors import StoreAway

        def away(_store: Store) -> None:
            raise StoreAway("gone")

        monkeypatch.setattr(Store, "read", away)
        assert is_problem(inside.client.get("/v1/connections"), 503, "store_away")


def test_the_scope_is_read(tmp_path: Path) -> None:
    with running_inside(tmp_path / "home") as running:
        wrong, right = running.key("score", name="wrong"), running.key("read", name="right")
        assert is_problem(running.client.get("/v1/connections", headers=wrong), 403, "scope_missing")
        assert running.client.get("/v1/connections", headers=right).json() == {"connections": []}
