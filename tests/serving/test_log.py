"""What is logged: every line under its request's number, and nothing of anybody."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from features.kit.errors import BadInput
from models import champion_pointer
from serving import log as serving_log
from serving import problems
from serving.log import OneLine
from serving.scoring import repository
from serving.settings import ServingSettings
from tests.kit.inside import Inside, running_inside
from tests.kit.running import Home, running_api
from tests.kit.scorers import copy_scorer

CANARY = "canary-4711"
SCORE = "/v1/churn-risk/score"


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with running_inside(tmp_path_factory.mktemp("logs"), {"ACCOUNTSCORE_LOG_REQUESTS": "yes"}) as running:
        yield running


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the serving commands would write to stderr, of every level."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(OneLine())
    logger = logging.getLogger("serving")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield written
    logger.removeHandler(handler)
    logger.setLevel(before)


def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake of ours that speaks of the request, in the thread that reads the store."""

    def fetch(*_: Any) -> Any:
        logging.getLogger("serving.scoring").warning("probe.in_thread")
        raise LookupError(f"no row of {CANARY}")

    monkeypatch.setattr(repository, "fetch", fetch)


def test_every_line_of_a_request_has_its_number_and_the_answer_too(
    inside: Inside, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch)
    answer = inside.client.post(SCORE, json={"records": [{"entity_id": CANARY}]})
    other = inside.client.get("/v1/churn-risk")
    assert (answer.status_code, answer.json()["code"]) == (500, "fault")
    assert CANARY not in answer.text
    of_it, of_other = (each.headers["x-request-id"] for each in (answer, other))
    assert of_it != of_other
    found = [line for line in lines.getvalue().splitlines() if "request=" in line]
    events = {line.split()[3]: line.rpartition("request=")[2] for line in found}
    assert events == {
        "probe.in_thread": of_it,
        "request.failed": of_it,
        "request.refused": of_it,
        "request.answered": of_other,
    }
    assert "type=LookupError at=" in lines.getvalue()
    assert CANARY not in lines.getvalue()


def test_the_twin_that_logs_error_messages_leaks_the_canary(
    inside: Inside, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sabotaged twin."""
    failing(monkeypatch)
    monkeypatch.setattr(problems, "place_of", lambda error: f"{serving_log.place_of(error)} message={error}")
    inside.client.post(SCORE, json={"records": [{"entity_id": CANARY}]})
    assert CANARY in lines.getvalue()


def test_a_canary_in_every_field_shows_up_in_no_log_and_no_metric(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", tmp_path)
    copy_scorer(tmp_path / "made", n=600)
    with champion_pointer.locked(home.path, "churn-risk"):
        champion_pointer.put_live(home.path, "churn-risk", tmp_path / "made", 1)
    good = {"entity_id": CANARY, "signals": {"word_0": CANARY, "number_0": 1.0}}
    bodies: list[Any] = [
        {"records": [good], "reasons": 3},
        {"records": [{"entity_id": CANARY}]},
        {"records": [{CANARY: CANARY}]},
        {"records": [{"signals": {CANARY: CANARY}}]},
        {CANARY: CANARY},
        CANARY,
        {"records": CANARY},
    ]
    override = {"model": "churn-risk", "band": "low", "reason": f"said {CANARY}", "author": CANARY}
    headers = {
        "user-agent": CANARY,
        "x-request-id": CANARY,
        "referer": CANARY,
        "cookie": CANARY,
        "x-forwarded-for": CANARY,
    }
    seen = set()
    with (
        running_api(home, {"ACCOUNTSCORE_LOG_REQUESTS": "yes"}) as url,
        httpx.Client(base_url=url, headers=headers) as client,
    ):
        for body in bodies:
            seen.add(client.post(SCORE, json=body).status_code)
        client.post(SCORE, json=bodies[0], headers={"idempotency-key": CANARY})
        for method in ("GET", "PUT", "DELETE"):
            client.request(method, f"/v1/account/{CANARY}/override?model=churn-risk", json=override)
            client.request(method, f"/v1/account/{CANARY}/objection?{CANARY}={CANARY}")
        for path in (
            f"/v1/account/{CANARY}/scores",
            f"/v1/account/{CANARY}/change?from={CANARY}",
            f"/{CANARY}",
            f"/v1/{CANARY}",
        ):
            seen.add(client.get(path).status_code)
        client.post(f"/v1/account/{CANARY}/erasure")
        client.post(f"/webhooks/{CANARY}", content=CANARY)
        page = client.get("/metrics").text
        key = home.run("serving", "keys", "create", CANARY).stdout.strip()
        for token in (key, f"as_{CANARY}_{CANARY}", CANARY):
            client.get("/v1/churn-risk", headers={"authorization": f"Bearer {token}"})
    assert {200, 207, 404, 422} <= seen
    log = (home.path / "api.log").read_text()
    assert log.count("request.") > 20
    for line in log.splitlines():
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ [A-Z]+ serving[.\w]* [a-z_]+\.[a-z_]+( |$)", line), line
    assert CANARY not in log
    assert CANARY not in page
    assert key.split("_", 2)[2] not in log


HOSTILE = [
    "a b",
    "x status=200 key=1",
    "two\nERROR serving forged.line",
    'q" key=1',
    "\u2028\x1b[31m",
    "\\n",
    "",
    "\u00a0k=v",
    "%s %d",
]


def line_of(template: str, *values: object, form: str = "text") -> str:
    return OneLine(form).format(logging.LogRecord("serving.test", logging.WARNING, "", 1, template, values, None))


def fields(line: str) -> dict[str, str]:
    """A line as a reader of logfmt takes it apart."""
    found = re.findall(r'(\S+?)=("(?:[^"\\]|\\.)*"|\S*)(?: |$)', line)
    return dict(found)


@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_forges_a_line_or_a_field(value: str) -> None:
    template = "webhook.unread connection=%s why=%s again_in_s=%.0f next=python -m serving worker"
    line = line_of(template, value, value, 2.0)
    assert len(line.splitlines()) == 1
    assert list(fields(line)) == ["connection", "why", "again_in_s", "next"]
    assert fields(line)["next"] == '"python -m serving worker"'
    as_json = line_of(template, value, value, 2.0, form="json")
    assert len(as_json.splitlines()) == 1
    read = json.loads(as_json)
    assert (read["event"], read["connection"], read["why"], read["level"]) == (
        "webhook.unread",
        value,
        value,
        "WARNING",
    )


def test_unquoted_values_would_forge_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sabotaged twin."""
    monkeypatch.setattr(serving_log, "_quoted", str)
    assert "key" in fields(line_of("a.b connection=%s", "x status=200 key=1"))
    assert len(line_of("a.b connection=%s", "two\nlines").splitlines()) == 2


def test_text_without_a_field_name_becomes_the_field_why() -> None:
    try:
        raise LookupError(CANARY)
    except LookupError as error:
        line = line_of("writeback.fault connection=%s %s", "main", serving_log.place_of(error))
    assert list(fields(line)) == ["connection", "type", "at"]
    assert fields(line_of("store.away %s", OSError("gone x=1"))) == {"why": '"gone x=1"'}
    assert fields(line_of("store.away %s keys=%s", OSError("gone"), 3)) == {"why": "gone", "keys": "3"}


def test_an_unknown_log_format_is_a_fault_of_the_settings() -> None:
    with pytest.raises(BadInput, match=r"ACCOUNTSCORE_LOG_FORMAT: 'xml'. Rule: text or json"):
        ServingSettings.from_env({"ACCOUNTSCORE_LOG_FORMAT": "xml"})
    assert ServingSettings.from_env({"ACCOUNTSCORE_LOG_FORMAT": "json"}).log_format == "json"
