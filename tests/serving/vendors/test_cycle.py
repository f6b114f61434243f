"""Salesforce and Dynamics from end to end, in real processes: a stranger sends, the service scores and is killed meanwhile, the
CRM has the score of the newest change; and our own write, which fires the CRM's webhook, ends there."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import requests
import zeep.exceptions
from sqlalchemy import func, select

from models.champion_pointer import read_pointer
from models.scorer.scorer import Scorer
from serving.decisions.repository import inputs_of
from serving.store.connect import Store
from serving.store.tables import decisions, inbox
from tests.conftest import NewHome
from tests.kit import dataverse, soap
from tests.kit.certificates import certificate
from tests.kit.fake_crm import FakeCrm, Wire
from tests.kit.fake_dataverse import fake_dataverse
from tests.kit.fake_salesforce import FakeSalesforce, fake_salesforce
from tests.kit.killing import PROPERTIES, SECRET, TOKEN, quiet, under_way
from tests.kit.running import Home, wait_for
from tests.kit.salesforce_client import local, stranger

CONNECTION = """
vendor = "{vendor}"
public_url = "https://scores.example.com"
secret_envs = ["CRM_SECRET"]
organizations = ["{organization}"]
source = "sample"
data = "{data}"
settle_seconds = 0.1
[objects.{object}]
table = "leads"
key = "lead_{{id}}"
columns = {{ {columns}{more} }}
[writeback]
mode = "on"
token_env = "CRM_TOKEN"
client_id = "an application"
url = "{url}"
minimum_change = 1
hysteresis = 0
requests_per_second = 1000.0
{login}
[writeback.models.lead-fit]
object = "{object}"
score = "{fit}"
"""


NEW = 500_000
"""Records that the CRM tells of and the source does not have yet begin here."""


@pytest.fixture(scope="module")
def home(new_home: NewHome) -> Home:
    return new_home(models=("lead-fit",))


@dataclass
class SalesforceSide:
    """zeep sends, and simple-salesforce reads."""

    folder: Path
    fit: str = "Fit__c"
    names: Mapping[str, str] = field(
        default_factory=lambda: {"industry": "Industry", "country": "Country", "seniority": "Seniority__c"}
    )
    """Our column to the CRM's."""
    identity: Callable[[int], str] = soap.lead_id
    org: Any = None
    url: str = ""

    @contextlib.contextmanager
    def crm(self) -> Iterator[FakeSalesforce]:
        self.pem = certificate(self.folder, "localhost")
        with fake_salesforce(certificate=self.pem) as fake:
            self.fake = fake
            fake.tokens.secret = TOKEN
            yield fake

    def connection(self, **more: str) -> str:
        return CONNECTION.format(
            vendor="salesforce",
            organization=soap.ORGANIZATION[:15],
            object="Lead",
            fit=self.fit,
            url=local(self.fake),
            login=f'ca_file = "{self.pem}"',
            **more,
        )

    def send(self, url: str, number: int, record: int, seconds: int, fields: Mapping[str, Any]) -> bool:
        """Whether it was acknowledged; `number` is the same for each attempt."""
        if self.url != url:
            self.url, self.org = url, soap.Org(f"{url}/webhooks/crm?key={quote(SECRET)}")
        try:
            return bool(self.org.notify(*soap.changed([record], seconds, **fields), first=number))
        except (zeep.exceptions.Error, requests.RequestException):
            return False

    def read(self, record: int) -> object:
        self.fake.tokens.valid.add(TOKEN)
        theirs = stranger(self.fake, self.pem)
        with theirs.session:
            return theirs.Lead.get(soap.lead_id(record))[self.fit]

    def echoed(self, wire: Wire) -> dict[str, Any]:
        """As Salesforce tells it: a Number is an xsd:double."""
        return {self.fit: float(wire.properties[self.fit])}


@dataclass
class DynamicsSide:
    """The POST of Dataverse's webhook, with its key in a header."""

    folder: Path
    fit: str = "new_fit"
    names: Mapping[str, str] = field(
        default_factory=lambda: {"industry": "new_industry", "country": "new_country", "seniority": "new_seniority"}
    )
    identity: Callable[[int], str] = dataverse.guid

    @contextlib.contextmanager
    def crm(self) -> Iterator[FakeCrm]:
        with fake_dataverse() as fake:
            self.fake = fake
            fake.tokens.secret = TOKEN
            yield fake

    def connection(self, **more: str) -> str:
        return CONNECTION.format(
            vendor="dynamics",
            organization=dataverse.ORGANIZATION,
            object="lead",
            fit=self.fit,
            url=self.fake.url,
            login=f'token_url = "{self.fake.url}/tenant/oauth2/v2.0/token"',
            **more,
        )

    def send(self, url: str, number: int, record: int, seconds: int, fields: Mapping[str, Any]) -> bool:
        content = dataverse.changed(dataverse.guid(record), fields, number=number + 1, seconds=seconds)
        return posted(url, dataverse.as_sent(content), {**dataverse.headers(content), "x-webhook-key": SECRET})

    def read(self, record: int) -> object:
        return self.fake.values[dataverse.guid(record)][self.fit]

    def echoed(self, wire: Wire) -> dict[str, Any]:
        return {self.fit: wire.properties[self.fit]}


def posted(url: str, body: bytes, headers: Mapping[str, str]) -> bool:
    try:
        return httpx.post(f"{url}/webhooks/crm", content=body, headers=headers, timeout=60).is_success
    except httpx.HTTPError:
        return False


Side = SalesforceSide | DynamicsSide


SIDES = {"salesforce": SalesforceSide, "dynamics": DynamicsSide}


@pytest.fixture(params=list(SIDES))
def side(request: pytest.FixtureRequest, tmp_path: Path) -> Side:
    return SIDES[request.param](tmp_path)


def connect(home: Home, side: Side, more: str = "") -> None:
    folder = home.path / "connections"
    folder.mkdir(exist_ok=True)
    columns = ", ".join(f'{theirs} = "{ours}"' for ours, theirs in side.names.items())
    (folder / "crm.toml").write_text(side.connection(data=str(home.company), columns=columns, more=more))


def deliver(side: Side, url: str, number: int, record: int, seconds: int, fields: Mapping[str, Any]) -> None:
    """Again until it is acknowledged."""
    wait_for(lambda: side.send(url, number, record, seconds, fields))


class TestCycle:
    # In the ordinary run for one vendor: what is killed is the same for each, and `TestLoop` goes through every vendor.
    @pytest.mark.parametrize("side", ["salesforce", pytest.param("dynamics", marks=pytest.mark.slow)], indirect=True)
    def test_the_crm_has_the_score_of_the_newest_change_of_every_record(
        self, home: Home, tmp_path: Path, side: Side
    ) -> None:
        rng, records = random.Random(5), range(NEW, NEW + 25)
        events = []
        for number in range(120):
            column = rng.choice(list(PROPERTIES))
            events.append((number, rng.choice(records), column, rng.choice(PROPERTIES[column])))
        order = [*events, *rng.sample(events, 18)]  # 15 % come twice, and some out of order
        for _ in range(6):
            order.insert(rng.randrange(len(order)), order.pop(rng.randrange(len(order))))
        with side.crm() as crm:
            connect(home, side)
            with under_way(home, tmp_path, []) as (service, _, store):
                for place, (number, record, column, value) in enumerate(order):
                    deliver(side, service.url, number, record, number, {side.names[column]: value})
                    if place % 60 == 10:
                        name = ("api", "worker")[place // 60 % 2]
                        service.kill(name)
                        service.start(name)
                wait_for(lambda: quiet(store), 240)
                assert service.kills == 3
                assert httpx.post(f"{service.url}/webhooks/crm?key=forged-by-somebody").status_code == 401
                assert len(letters(store)) == len(events)
                newest: dict[int, dict[str, str]] = {}
                for _, record, column, value in events:
                    newest.setdefault(record, {})[column] = value
                expected = {record: score_of(home, store, side, record, values) for record, values in newest.items()}
                assert {record: side.read(record) for record in newest} == expected
            assert set(crm.values) == {side.identity(record) for record in newest}
            assert len(set(expected.values())) > 1
        logs = "".join((home.path / f"{name}.log").read_text() for name in ("api", "worker"))
        assert "status=401" in logs  # the refusal is told, and no key, token or session
        for secret in (SECRET, quote(SECRET), TOKEN, "token-1", "forged-by", soap.SESSION):
            assert secret not in logs


def letters(store: Store) -> list[str]:
    with store.read() as connection:
        return list(connection.execute(select(inbox.c.state)).scalars())


def score_of(home: Home, store: Store, side: Side, record: int, values: Mapping[str, str]) -> int:
    """Computed anew from the inputs of the record's last decision, which must have the newest changes in them."""
    entity = f"lead_{side.identity(record)}"
    pointer = read_pointer(home.path, "lead-fit")
    assert pointer is not None
    scorer = Scorer.load(pointer.path)
    with store.read() as connection:
        query = select(decisions).where(decisions.c.entity_id == entity).order_by(decisions.c.id.desc()).limit(1)
        inputs = inputs_of(connection.execute(query).mappings().one(), scorer)  # type: ignore[arg-type]
    assert {name: inputs[name] for name in values} == values
    return int(scorer.percentile(scorer.probability(scorer.encode({name: [inputs[name]] for name in inputs})))[0])


class TestCut:
    def test_a_truncated_record_is_read_and_scored(self, home: Home, tmp_path: Path) -> None:
        side, record = DynamicsSide(tmp_path), dataverse.guid(NEW)
        with side.crm() as crm:
            connect(home, side)
            side.fake.records = {
                record: {"new_industry": "software", "new_country": "DE", "description": "x" * 300_000}
            }
            with under_way(home, tmp_path, []) as (service, _, store):
                content = dataverse.context("Update", record, None)
                told = {**dataverse.headers(content), "x-webhook-key": SECRET}
                wait_for(lambda: posted(service.url, dataverse.as_sent(content), told))
                wait_for(lambda: len(crm.writes) > 0 and quiet(store))
                expected = score_of(home, store, side, NEW, {"industry": "software", "country": "DE"})
            assert side.read(NEW) == expected


@dataclass
class Echoes:
    """Fires the CRM's webhook for each write that changed a record, three times at most: without a ledger it would not end."""

    waiting: list[dict[str, Any]] = field(default_factory=list)
    fired: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, fields: dict[str, Any]) -> None:
        with self.lock:
            self.waiting.append(fields)


class TestLoop:
    """What our write tells is an input of the score: employees, for the sake of the test."""

    def scorings(
        self, home: Home, folder: Path, side: Side, worker: str, *, whole: bool = False
    ) -> tuple[int, int, int]:
        """Decisions, writes, and events of our own writes that came back; `whole` with the record's other fields."""
        echoes = Echoes()
        with side.crm() as crm:
            connect(home, side, f', {side.fit} = "employees"')
            crm.on_write = lambda wire, changed: echoes.add(side.echoed(wire)) if changed else None
            with under_way(home, folder, [], {"worker": worker}) as (service, _, store):
                rest = {side.names["industry"]: "software"}
                deliver(side, service.url, 0, NEW, 0, rest)
                wait_for(lambda: len(crm.writes) > 0)

                def settled() -> bool:
                    while echoes.fired < 3 and echoes.waiting:
                        fields = echoes.waiting.pop(0)
                        echoes.fired += 1
                        told = {**rest, **fields} if whole else fields
                        deliver(side, service.url, echoes.fired, NEW, echoes.fired, told)
                    return quiet(store)

                wait_for(settled)
                wait_for(settled)
                with store.read() as connection:
                    made = connection.execute(select(func.count()).select_from(decisions)).scalar_one()
                    states = set(
                        connection.execute(select(inbox.c.state).where(inbox.c.property == side.fit)).scalars()
                    )
                assert states == ({"echo"} if worker == "serving" else {"scored"})
        return made, len(crm.writes), echoes.fired

    def test_an_echo_is_not_scored_again(self, home: Home, tmp_path: Path, side: Side) -> None:
        assert self.scorings(home, tmp_path, side, "serving") == (1, 1, 1)

    @pytest.mark.parametrize("side", ["dynamics", pytest.param("salesforce", marks=pytest.mark.slow)], indirect=True)
    def test_without_the_ledger_echoes_are_scored(self, home: Home, tmp_path: Path, side: Side) -> None:
        made, _, _ = self.scorings(home, tmp_path, side, "tests.kit.sabotaged_ledger")
        assert made > 1

    def test_an_echo_with_the_whole_record_is_not_written_again(self, home: Home, tmp_path: Path) -> None:
        """Salesforce repeats what did not change: it may be scored once more, and is not written again."""
        made, writes, fired = self.scorings(home, tmp_path, SalesforceSide(tmp_path), "serving", whole=True)
        assert (writes, fired) == (1, 1)
        assert made <= 2
