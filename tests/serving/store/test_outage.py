"""The database is stopped while events come in, or before the API starts: nothing is lost, and nobody is let in."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from serving.store.connect import Store, open_store
from serving.store.tables import decisions, inbox
from tests.conftest import NewHome
from tests.kit.fake_hubspot import fake_hubspot
from tests.kit.killing import (
    DECEMBER_MS,
    Sent,
    check,
    connect,
    drain,
    environment,
    make_requests,
    quiet,
    signed,
    under_way,
)
from tests.kit.postgres import Postgres, postgres
from tests.kit.running import Home, running, running_api, wait_for

NEW = range(5_000_000, 5_000_040)


@pytest.fixture(scope="module")
def home(new_home: NewHome) -> Home:
    return new_home(models=("lead-fit",))


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


class TestTheDatabase:
    def test_nothing_is_lost_when_the_database_restarts(self, home: Home, tmp_path: Path, server: Postgres) -> None:
        """Events are refused, and sent again by the CRM."""
        with fake_hubspot() as crm, new_database(server, "back") as url:
            connect(home, crm)
            requests = make_requests(150, NEW, 5)
            with under_way(home, tmp_path, requests, store_url=url) as (service, sender, store):
                sender.allowed = len(requests) // 3
                wait_for(lambda: sender.done == sender.allowed)
                server.stop()
                sender.allowed = len(requests)
                wait_for(lambda: sender.statuses[503] > 0)
                server.start()
                drain(service, sender, store)
                verdict = check(home, sender, store, crm)
            assert len(sender.acknowledged) == 150
        assert verdict.clean, verdict

    @pytest.mark.slow
    def test_an_api_that_answers_before_it_stores_is_caught(self, home: Home, tmp_path: Path, server: Postgres) -> None:
        with fake_hubspot() as crm, new_database(server, "twin") as url:
            connect(home, crm)
            requests = [r for r in make_requests(60, NEW, 7) if not r.bad]
            modules = {"api": "tests.kit.sabotaged_early"}
            with under_way(home, tmp_path, requests, modules, url) as (service, sender, store):
                wait_for(lambda: service.processes["api"].poll() is None and answers(service.url))
                server.stop()
                sender.allowed = len(requests)
                wait_for(lambda: sender.done == len(requests))
                server.start()
                wait_for(lambda: reached(url) and quiet(store))
                verdict = check(home, sender, store, crm)
        assert verdict.lost > 0, verdict


class TestStartedWithoutTheDatabase:
    """The last good model is on the disk: what brings its signals is scored, all else waits for the store."""

    SCORE: Mapping[str, Any] = {"records": [{"signals": {"seniority": "vp", "industry": "software"}}]}

    def test_the_api_starts_scores_and_reconnects_when_the_database_is_back(
        self, home: Home, tmp_path: Path, server: Postgres
    ) -> None:
        body, headers = signed([Sent(1, NEW[0], "industry", "software", DECEMBER_MS).wire()])
        with fake_hubspot() as crm, new_database(server, "start") as url:
            connect(home, crm)
            env = environment(home, tmp_path, url)
            assert home.run("serving", "migrate", env=env).returncode == 0
            made = home.run("serving", "keys", "create", "crm", env=env)
            assert made.returncode == 0, made.stderr
            key = {"authorization": f"Bearer {made.stdout.strip()}"}
            server.stop()
            with running_api(home, env) as api:
                ready = httpx.get(f"{api}/readyz").json()
                assert (ready["status"], ready["store"]) == ("degraded", "away")
                scored = httpx.post(f"{api}/v1/lead-fit/score", json=self.SCORE, headers=key)
                assert scored.status_code == 200, scored.text
                result = scored.json()["results"][0]
                assert 0 < result["probability"] < 1
                assert any("store is away" in warning for warning in result["warnings"])
                # Whose signals are in the store, who objected, what was said: nobody knows now.
                by_id = {"records": [{"entity_id": "lead_1"}]}
                assert httpx.post(f"{api}/v1/lead-fit/score", json=by_id, headers=key).status_code == 503
                assert httpx.get(f"{api}/v1/lead/lead_1/objection", headers=key).status_code == 503
                assert httpx.post(f"{api}/webhooks/crm", content=body, headers=headers).status_code == 503
                # A key is asked for as before; a wrong one does not pass.
                assert httpx.post(f"{api}/v1/lead-fit/score", json=self.SCORE).status_code == 401
                server.start()
                wait_for(lambda: httpx.get(f"{api}/readyz").json()["store"] == "reached")
                assert httpx.get(f"{api}/readyz").json()["status"] == "ready"
                body, headers = signed([Sent(1, NEW[0], "industry", "software", DECEMBER_MS).wire()])
                assert httpx.post(f"{api}/webhooks/crm", content=body, headers=headers).status_code == 204
                again = httpx.post(f"{api}/v1/lead-fit/score", json=self.SCORE, headers=key).json()["results"][0]
                assert again["probability"] == result["probability"]
                assert not any("store is away" in warning for warning in again.get("warnings", []))
                assert httpx.get(f"{api}/v1/lead/lead_1/objection", headers=key).status_code == 404
            store = open_store(url)
            with store.read() as connection:
                assert connection.execute(select(func.count()).select_from(inbox)).scalar_one() == 1
                assert connection.execute(select(func.count()).select_from(decisions)).scalar_one() == 1
            store.close()

    def test_the_worker_waits_for_the_database(self, home: Home, tmp_path: Path, server: Postgres) -> None:
        with fake_hubspot() as crm, new_database(server, "later") as url:
            connect(home, crm)
            env = environment(home, tmp_path, url)
            assert home.run("serving", "migrate", env=env).returncode == 0
            log = home.path / "worker.log"
            earlier = log.stat().st_size if log.is_file() else 0
            server.stop()
            once = home.run("serving", "worker", "--once", env=env)  # the twin, which does not wait
            assert once.returncode == 1, once.stderr
            assert "the store does not answer" in once.stderr
            with running(home, "worker", env=env) as worker:
                wait_for(lambda: "store.away" in log.read_text()[earlier:])
                server.start()
                body, headers = signed([Sent(1, NEW[0], "industry", "software", DECEMBER_MS).wire()])
                with running_api(home, env) as api:
                    assert httpx.post(f"{api}/webhooks/crm", content=body, headers=headers).status_code == 204
                store = open_store(url)
                wait_for(lambda: scored(store))
                store.close()
                assert worker.poll() is None

    def test_without_cached_keys_every_request_is_refused(self, home: Home, tmp_path: Path, server: Postgres) -> None:
        """The door stays shut: "no key was ever made" cannot be told from "not known"."""
        with fake_hubspot() as crm, new_database(server, "shut") as url:
            connect(home, crm)
            fresh = Home(tmp_path / "home", home.company)
            fresh.path.mkdir()
            env = {**environment(home, tmp_path, url), "ACCOUNTSCORE_CONNECTIONS": str(home.path / "connections")}
            server.stop()
            with running_api(fresh, env) as api:
                assert httpx.post(f"{api}/v1/lead-fit/score", json=self.SCORE).status_code == 503
                kept = {"needed": False, "keys": {}}
            (fresh.path / "api-keys.json").write_text(
                json.dumps(kept)
            )  # the sabotaged twin: a door that takes it for none
            with running_api(fresh, env) as api:
                answer = httpx.post(f"{api}/v1/lead-fit/score", json=self.SCORE)
                assert answer.json()["code"] == "no_model"
            server.start()


def scored(store: Store) -> bool:
    with store.read() as connection:
        return bool(connection.execute(select(func.count()).select_from(decisions)).scalar_one())


@contextlib.contextmanager
def new_database(server: Postgres, name: str) -> Iterator[str]:
    from sqlalchemy import create_engine, text

    admin = create_engine(server.url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    yield server.url_of(name)


def answers(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{url}/healthz", timeout=5).status_code == 200
    return False


def reached(url: str) -> bool:
    from serving.errors import StoreAway

    store = open_store(url)
    try:
        return store.revision() is not None
    except StoreAway:
        return False
    finally:
        store.close()
