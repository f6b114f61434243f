"""What was erased stays away, whatever comes late: by webhook (the thing itself, a row of it) or in the source of a batch."""

from __future__ import annotations

import base64
import datetime as dt
import itertools
import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest
from sqlalchemy import select
from standardwebhooks.webhooks import Webhook

from features.outcomes.outcome import ELIGIBLE
from features.panel.build import build_panel
from features.signals.signal import Entity
from features.sources.loader import open_source
from serving.privacy import repository, service
from serving.privacy.aliases import aliases
from serving.profiles import repository as profiles
from serving.store.tables import inbox, metadata
from serving.worker import loop
from serving.worker.loop import Worker
from tests.kit.company import at
from tests.kit.inside import Inside, running_inside
from tests.kit.running import Home, quick_home

SECRET = "whsec_" + base64.b64encode(b"a key of twenty-four byte").decode()


CONNECTION = """
vendor = "standard-webhooks"
public_url = "https://scores.example.com"
secret_envs = ["LATE_SECRET"]
source = "sample"
data = "{data}"
settle_seconds = 0.0
[objects.lead]
table = "leads"
columns = {{ industry = "industry" }}
[objects.company]
table = "accounts"
columns = {{ industry = "industry", group = "parent_id" }}
[objects.person]
table = "contacts"
columns = {{ company = "account_id", title = "title" }}
"""


@dataclass
class Company:
    """A running API, its worker, and the ids of a lead and an account that can have scores."""

    home: Home
    inside: Inside
    worker: Worker
    subjects: dict[str, str]
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def tell(self, kind: str, name: str, **properties: str) -> None:
        """A signed event arrives."""
        body = json.dumps(
            {
                "type": f"{kind}.updated",
                "timestamp": "2026-02-01T00:00:00Z",
                "data": {"object": kind, "id": name, "properties": properties},
            }
        )
        moment = dt.datetime.fromtimestamp(int(time.time()), dt.UTC)
        message = f"msg_{next(self.numbers)}"
        headers = {
            "webhook-id": message,
            "webhook-timestamp": str(int(moment.timestamp())),
            "content-type": "application/json",
            "webhook-signature": Webhook(SECRET).sign(message, moment, body),
        }
        assert self.inside.client.post("/webhooks/crm", content=body, headers=headers).status_code == 204

    def tables_with(self, name: str) -> list[str]:
        """Tables of the store in which a name stands."""
        with self.inside.state.store.read() as connection:
            found = {
                table.name: any(name in repr(tuple(row)) for row in connection.execute(select(table)))
                for table in metadata.sorted_tables
            }
        return sorted(table for table, there in found.items() if there)

    def states(self) -> list[str]:
        with self.inside.state.store.read() as connection:
            return list(connection.execute(select(inbox.c.state).order_by(inbox.c.id)).scalars())

    def batch(self, out: Path) -> set[str]:
        """The nightly batch over the source, which has the rows still; ids that got a number."""
        self.home.batch(out)
        rows = ds.dataset(out, format="parquet", exclude_invalid_files=True).to_table(
            columns=["entity_id", "probability"]
        )
        return {row["entity_id"] for row in rows.to_pylist() if row["probability"] is not None}


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    home = quick_home(tmp_path)
    (home.path / "connections").mkdir()
    (home.path / "connections" / "crm.toml").write_text(CONNECTION.format(data=home.company))
    monkeypatch.setenv("LATE_SECRET", SECRET)
    source = open_source("sample", home.company)
    subjects: dict[str, str] = {}
    entities: tuple[Entity, ...] = ("account", "lead")
    for entity in entities:
        panel = build_panel(source, entity, [at("2026-01-01")], only=[])
        eligible = panel.filter(pc.equal(panel["eligibility"], ELIGIBLE))
        subjects[entity] = sorted(eligible["entity_id"].to_pylist())[0]
    with running_inside(home.path) as inside:
        worker = Worker(inside.state.store, inside.state.connections, inside.state.champions, inside.state.clock)
        worker.check()
        yield Company(home, inside, worker, subjects)


def holding(home: Path, text: str) -> list[str]:
    """Files in which a text stands. Read by another process: one that closes a file of SQLite's gives up its own locks on it."""
    done = subprocess.run(["grep", "-rlaF", text, home], capture_output=True, text=True, check=False)
    return [str(Path(line).relative_to(home)) for line in done.stdout.splitlines()]


def test_what_was_erased_stays_away(company: Company, tmp_path: Path) -> None:
    lead, account = company.subjects["lead"], company.subjects["account"]

    def late() -> None:
        company.tell("lead", lead, industry="finance")
        company.tell("company", account, industry="finance")
        company.tell("person", "late-person", company=account, title="canary title")
        company.worker.once()

    late()
    assert {"signals", "decisions", "changes", "inbox"} <= set(company.tables_with(lead))
    assert {"signals", "decisions", "changes", "inbox"} <= set(company.tables_with(account))
    assert set(company.states()) == {"scored"}
    for kind, name in company.subjects.items():
        assert company.inside.client.post(f"/v1/{kind}/{name}/erasure").status_code == 200
        assert company.tables_with(name) == []
    late()
    assert holding(company.home.path, "canary title") == []  # while the API runs, the write-ahead log included
    with pytest.MonkeyPatch.context() as patch:  # the sabotaged twin: the events are emptied, and the log is not
        patch.setattr(loop, "wipe", lambda *_, **__: [])
        late()
    assert holding(company.home.path, "canary title") == ["store.db-wal"]
    scored = company.batch(tmp_path / "second")
    assert len(scored) > 10
    assert not scored & {lead, account}
    assert company.tables_with(lead) == company.tables_with(account) == company.tables_with("canary title") == []
    assert company.states().count("erased") == 12  # a letter for each property, before and twice after
    # The sabotaged twin: without the tombstones the same late events and the same source bring it all back.
    for kind, name in company.subjects.items():
        assert company.home.run("serving", "privacy", "admit", kind, name).returncode == 0
    late()
    assert {"signals", "decisions", "changes", "inbox"} <= set(company.tables_with(lead))
    assert {"signals", "decisions", "changes", "inbox"} <= set(company.tables_with(account))
    assert company.tables_with("canary title")
    assert company.batch(tmp_path / "third") >= {lead, account}


def test_events_that_wait_do_not_name_who_was_erased_meanwhile(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker may be down for days: what waits for it is in the store, and in its files."""
    account = company.subjects["account"]

    def wait() -> None:
        company.tell("company", account, industry="finance")
        company.tell("company", "daughter", group=account, industry="finance")
        company.tell("person", "employee", company=account, title="canary title")

    wait()
    assert "inbox" in company.tables_with(account)
    with monkeypatch.context() as patch:  # the sabotaged twin: only the events about it are known
        known = repository.NO_ALIASES
        patch.setattr(service, "aliases", lambda *given: replace(known, records=aliases(*given).records))
        assert company.inside.client.post(f"/v1/account/{account}/erasure").status_code == 200
    assert company.tables_with(account) == ["inbox"]
    assert company.inside.client.post(f"/v1/account/{account}/erasure").status_code == 200
    assert company.tables_with(account) == []
    assert (
        holding(company.home.path / "store.db", account) == holding(company.home.path / "store.db-wal", account) == []
    )
    company.worker.once()
    with company.inside.state.store.read() as connection:
        told = profiles.fetch(connection, "account", ["daughter"])["daughter"]
    assert (told.parent_id, dict(told.segments)["industry"]) == (None, "finance")
    assert company.states().count("scored") == 2, "of the daughter both: that it belongs to nobody is told too"
