"""An account in the store of an app in this process: its signals, and asking for its score."""

from __future__ import annotations

import datetime as dt
from typing import Any

from serving.scoring import repository as stored
from tests.kit.inside import Inside

SCORE = "/v1/churn-risk/score"
VALUES = {"number_0": 1.5, "number_1": None, "number_3": 2e2, "word_0": "beta"}


def store_signals(inside: Inside, name: str, entity: str = "account", days_ago: int = 0, **values: Any) -> None:
    moment = inside.state.clock() - dt.timedelta(days=days_ago)
    with inside.writing() as connection:
        stored.put(connection, [stored.row(entity, name, moment, "eligible", 10.0, {**VALUES, **values}, "worker")])


def ask(inside: Inside, name: str, **more: Any) -> Any:
    body = {"records": [{"entity_id": name, **more}], "reasons": 3}
    answer = inside.client.post(SCORE, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["results"][0]


def refused(answer: Any, status: int, code: str) -> bool:
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    return answer.headers["content-type"] == "application/problem+json"
