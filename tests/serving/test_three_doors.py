"""The three doors, as their users come through them: HTTP, a CRM's webhook, the nightly batch. Real processes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from features.kit.clock import parse_as_of
from features.panel.build import build_panel
from features.sources.loader import open_source
from models.champion_pointer import read_pointer
from models.scorer.scorer import Scorer
from serving.manifest import read_scores
from serving.store.connect import open_store
from serving.store.tables import inbox
from tests.conftest import MakeOnce
from tests.kit.quick_night import make_few_signals
from tests.kit.running import AS_OF, Home, running_api, same_bits

SECRET = "a secret of the test, long enough"
CONNECTION = """
vendor = "hubspot"
public_url = "https://scores.example.com"
secret_envs = ["CRM_SECRET"]
source = "sample"
data = "{data}"
settle_seconds = 0.0
[objects.contact]
table = "leads"
key = "lead_{{id}}"
columns = {{ country = "country", industry = "industry" }}
"""


@pytest.fixture(scope="module")
def home(make_once: MakeOnce) -> Home:
    folder = make_once("few-signals", make_few_signals)
    made = Home(folder / "home", folder / "company")
    (made.path / "connections").mkdir()
    (made.path / "connections" / "crm.toml").write_text(CONNECTION.format(data=made.company))
    return made


@pytest.fixture(scope="module")
def scores(home: Home) -> Path:
    out = home.path / "scores"
    home.batch(out)
    return out


@pytest.fixture(scope="module")
def api(home: Home, scores: Path) -> Iterator[str]:
    with running_api(home, {"CRM_SECRET": SECRET}) as url:
        yield url


def published(scores: Path, model: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_scores(scores, model).to_pylist()
    return rows


def ask(api: str, model: str, body: object) -> httpx.Response:
    return httpx.post(f"{api}/v1/{model}/score", json=body, timeout=30)


class TestTheSameBits:
    @pytest.mark.parametrize(("model", "entity"), [("churn-risk", "account"), ("lead-fit", "lead")])
    def test_http_batch_and_scorer_agree_to_the_last_bit(
        self, home: Home, scores: Path, api: str, model: str, entity: Any
    ) -> None:
        rows = [row for row in published(scores, model) if row["no_score"] is None]
        assert len(rows) > 20
        pointer = read_pointer(home.path, model)
        assert pointer is not None
        scorer = Scorer.load(pointer.path)
        panel = build_panel(open_source("sample", home.company), entity, [parse_as_of(AS_OF)])
        direct = scorer.probability(scorer.encode({name: panel[name] for name in scorer.names}))
        by_id = dict(zip(panel["entity_id"].to_pylist(), direct.tolist(), strict=True))
        answered = {}
        for start in range(0, len(rows), 500):
            records = [{"entity_id": row["entity_id"]} for row in rows[start : start + 500]]
            answer = ask(api, model, {"records": records}).json()
            assert answer["errors"] == []
            answered |= {each["entity_id"]: each["probability"] for each in answer["results"]}
        assert all(same_bits(row["probability"], by_id[row["entity_id"]]) for row in rows)
        assert all(same_bits(row["probability"], answered[row["entity_id"]]) for row in rows)

    def test_signals_in_the_request_give_the_number_of_the_stored_ones(
        self, home: Home, scores: Path, api: str
    ) -> None:
        row = next(row for row in published(scores, "churn-risk") if row["no_score"] is None)
        panel = build_panel(
            open_source("sample", home.company), "account", [parse_as_of(AS_OF)], ids=[row["entity_id"]]
        )
        pointer = read_pointer(home.path, "churn-risk")
        assert pointer is not None
        names = Scorer.load(pointer.path).names
        signals = {name: panel[name].to_pylist()[0] for name in names}
        given = {name: None if value != value else value for name, value in signals.items()}
        answer = ask(api, "churn-risk", {"records": [{"signals": given}], "reasons": 3}).json()
        assert same_bits(answer["results"][0]["probability"], row["probability"])
        # The sabotaged twin: one signal that matters, changed, is another number.
        name = answer["results"][0]["reasons"][0]["signal"]
        changed = {**given, name: None}
        assert given[name] is not None
        other = ask(api, "churn-risk", {"records": [{"signals": changed}]}).json()
        assert other["results"][0]["probability"] != row["probability"]


class TestAnswer:
    def test_an_answer_has_what_people_and_machines_need(self, home: Home, scores: Path, api: str) -> None:
        row = next(row for row in published(scores, "churn-risk") if row["no_score"] is None)
        answer = ask(api, "churn_risk", {"records": [{"entity_id": row["entity_id"]}], "reasons": 4}).json()
        pointer = read_pointer(home.path, "churn-risk")
        assert pointer is not None
        assert (answer["model"], answer["version"]) == ("churn-risk", 1)
        assert answer["scorer"] == f"sha256:{pointer.sha256}"
        result = answer["results"][0]
        assert result["as_of"] == "2026-01-01T00:00:00Z"
        assert 0 < result["probability"] < 1
        assert (result["score"], result["band"]) == (row["score"], row["band"])
        assert [r["text"] for r in result["reasons"]] == [r["text"] for r in row["reasons"][:4]]

    def test_every_account_is_scored_or_told_why_not(self, scores: Path) -> None:
        rows = published(scores, "churn-risk")
        assert len({row["entity_id"] for row in rows}) == len(rows)
        assert all((row["probability"] is None) == (row["no_score"] is not None) for row in rows)
        assert {row["no_score"] for row in rows} >= {None, "already_leaving", "internal"}

    def test_one_bad_record_does_not_spoil_the_others(self, scores: Path, api: str) -> None:
        good = next(row["entity_id"] for row in published(scores, "churn-risk") if row["no_score"] is None)
        records = [
            {"entity_id": "nobody"},
            {"entity_id": good},
            {"entity_id": good, "signals": {"mrr": "much", "no_such_signal": 1}},
        ]
        answer = ask(api, "churn-risk", {"records": records}).json()
        assert [result["entity_id"] for result in answer["results"]] == [good]
        unknown, bad = answer["errors"]
        assert unknown["index"] == 0
        said = json.dumps(bad)
        assert "mrr" in said
        assert "no_such_signal" in said

    def test_an_unknown_model_lists_those_there_are(self, api: str) -> None:
        answer = ask(api, "lifetime-value", {"records": [{"entity_id": "a"}]})
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert "churn-risk" in answer.text

    def test_live_and_ready(self, api: str) -> None:
        assert httpx.get(f"{api}/healthz").status_code == 200
        ready = httpx.get(f"{api}/readyz")
        assert ready.status_code == 200
        assert ready.json()["models"]["lead-fit"]["serves"] is True


def test_without_a_model_it_is_alive_and_not_ready(tmp_path: Path) -> None:
    with running_api(Home(tmp_path / "empty", tmp_path)) as url:
        assert httpx.get(f"{url}/healthz").status_code == 200
        assert httpx.get(f"{url}/readyz").status_code == 503
        answer = ask(url, "churn-risk", {"records": [{"entity_id": "a"}]})
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0


class TestWebhook:
    def deliver(self, api: str, lead: str, *, secret: str = SECRET, event: int = 1) -> httpx.Response:
        now = int(time.time() * 1000)
        body = json.dumps(
            [
                {
                    "eventId": event,
                    "subscriptionId": 1,
                    "portalId": 1,
                    "occurredAt": now,
                    "subscriptionType": "contact.propertyChange",
                    "attemptNumber": 0,
                    "objectId": int(lead.removeprefix("lead_")),
                    "propertyName": "country",
                    "propertyValue": "DE",
                }
            ]
        )
        signed = f"POSThttps://scores.example.com/webhooks/crm{body}{now}".encode()
        signature = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
        headers = {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": str(now)}
        return httpx.post(f"{api}/webhooks/crm", content=body, headers=headers, timeout=30)

    def letters(self, home: Home) -> int:
        store = open_store(f"sqlite:///{home.path / 'store.db'}")
        with store.read() as connection:
            count = connection.execute(select(func.count()).select_from(inbox)).scalar_one()
        store.close()
        return int(count)

    def test_a_bad_signature_is_401_and_leaves_no_trace(self, home: Home, scores: Path, api: str) -> None:
        lead = published(scores, "lead-fit")[0]["entity_id"]
        before = self.letters(home)
        assert self.deliver(api, lead, secret="another secret, also long enough").status_code == 401
        assert self.letters(home) == before
        # The sabotaged twin: the right secret does leave one.
        assert self.deliver(api, lead, event=99).status_code == 204
        assert self.letters(home) == before + 1

    def test_a_change_is_stored_before_the_answer_and_scored_after_it(self, home: Home, scores: Path, api: str) -> None:
        lead = next(row["entity_id"] for row in published(scores, "lead-fit") if row["no_score"] is None)
        address = f"{api}/v1/lead/{lead}/scores"
        before = httpx.get(address).json()["scores"]
        assert self.deliver(api, lead, event=2).status_code == 204
        stored = self.letters(home)
        assert self.deliver(api, lead, event=2).status_code in (204, 200)
        assert self.letters(home) >= stored
        done = home.run("serving", "worker", "--once", env={"CRM_SECRET": SECRET})
        assert done.returncode == 0, done.stderr
        after = httpx.get(address).json()["scores"]
        assert len(after) > len(before)
        assert after[0]["cause"] == "webhook"
        assert after[0]["as_of"] > "2026-01-01"
