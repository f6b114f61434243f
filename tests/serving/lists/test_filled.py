"""Lists in real processes: the nightly command fills them, and the worker's next score of a record takes its place there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.manifest import read_scores
from tests.conftest import MakeOnce
from tests.kit.databases import DATABASES, store_url
from tests.kit.killing import CONNECTION, DECEMBER_MS, SECRET, TOKEN, Sent, signed
from tests.kit.quick_night import make_few_signals
from tests.kit.running import Home, running_api

TABLES = {"churn-risk": "accounts", "lead-fit": "leads"}
LATER = "2026-01-03T06:00:00Z"
"""The clock of the worker: a day after the nightly run."""


@pytest.fixture(params=DATABASES)
def home_and_environment(
    request: pytest.FixtureRequest, make_once: MakeOnce, tmp_path: Path
) -> tuple[Home, dict[str, str]]:
    shutil.copytree(make_once("few-signals", make_few_signals), tmp_path / "made")
    home = Home(tmp_path / "made" / "home", tmp_path / "made" / "company")
    (home.path / "connections").mkdir()
    crm = CONNECTION.format(source="sample", data=home.company, settle=0, url="http://127.0.0.1:1")
    (home.path / "connections" / "crm.toml").write_text(crm)
    secrets = {"CRM_SECRET": SECRET, "CRM_TOKEN": TOKEN}
    return home, {**secrets, "ACCOUNTSCORE_STORE_URL": store_url(request, home.path)}


def every_row(url: str, model: str) -> Iterator[dict[str, Any]]:
    after = ""
    while True:
        page = httpx.get(f"{url}/v1/{model}/scores?limit=50{after}", timeout=60).raise_for_status().json()
        yield from page["rows"]
        if page["next_cursor"] is None:
            return
        after = f"&cursor={page['next_cursor']}"


def test_the_night_fills_the_lists_and_a_webhook_changes_its_row(
    home_and_environment: tuple[Home, dict[str, str]],
) -> None:
    home, environment = home_and_environment
    out = home.path / "scores"
    command = ("batch", *home.source, "--as-of", "2026-01-01", "--out", str(out))
    done = home.run("serving", *command, env=environment)
    assert done.returncode == 0, done.stderr
    with running_api(home, {**environment, "ACCOUNTSCORE_NOW": LATER}) as url:
        for model in TABLES:
            listed = {row["entity_id"]: row for row in every_row(url, model)}
            published = {row["entity_id"]: row for row in read_scores(out, model).to_pylist()}
            assert listed.keys() == published.keys()
            for entity_id, row in listed.items():
                wanted = published[entity_id]
                code = row["no_score"]["code"] if row["no_score"] else None
                assert (row["probability"], row["score"], row["band"], code) == tuple(
                    wanted[name] for name in ("probability", "score", "band", "no_score")
                )
                assert row["reason"] is None or row["reason"]["text"] == wanted["reasons"][0]["text"]
                assert row["as_of"] == "2026-01-01T00:00:00Z"
            assert sum(row["name"] is not None for row in listed.values()) > len(listed) / 2
        before = next(row for row in every_row(url, "lead-fit") if row["score"] is not None)
        number = int(before["entity_id"].removeprefix("lead_"))
        industry = "retail" if before["segments"].get("industry") != "retail" else "media"
        body, headers = signed([Sent(1, number, "industry", industry, DECEMBER_MS + 31 * 86_400_000).wire()])
        assert httpx.post(f"{url}/webhooks/crm", content=body, headers=headers, timeout=60).status_code == 204
        worked = home.run("serving", "worker", "--once", env={**environment, "ACCOUNTSCORE_NOW": LATER})
        assert worked.returncode == 0, worked.stderr
        (after,) = httpx.get(f"{url}/v1/lead-fit/scores?q={before['entity_id']}", timeout=60).json()["rows"]
        assert after["as_of"] >= LATER[:19]
        assert after["segments"]["industry"] == industry
        (found,) = httpx.get(f"{url}/v1/lead-fit/scores?segment.industry={industry}&q={before['entity_id']}").json()[
            "rows"
        ]
        assert found == after
        record = httpx.get(f"{url}/v1/lead/{before['entity_id']}", timeout=60).json()["models"][0]
        assert (record["score"]["score"], record["change"]) == (after["score"], after["score"] - before["score"])
