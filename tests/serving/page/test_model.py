"""The pages about models: the cards' own figures, every fault in its place, a next step wherever something is missing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from models import card, monitor_card, standing
from serving.page import look, model
from tests.kit import carded
from tests.kit.carded import Version, put_card, put_look, put_report, put_standing
from tests.kit.inside import Inside, running_inside

HOSTILE = '<img src=x onerror="alert(1)">\u202e'
FINDINGS = [
    {"columns": ["closed_reason"], "evidence": "is missing unless it happened", "advice": "leave it out"},
    {"columns": ["lead_source"], "evidence": "looks too good", "accepted": "set when the lead is made"},
]
LOOK: dict[str, Any] = {
    "verdict": "someone should look",
    "why": ["drift: the score: 0.31"],
    "checks": [{"name": "drift", "state": "look", "found": "the score: 0.31", "limit": "at most 0.25"}],
    "ripe": {
        "rows": 430,
        "bands": [
            {"band": "all", "rows": 430, "expected": {"value": 171.6, "low": 150, "high": 193}, "observed": 221},
            {"band": "high", "rows": 200, "expected": {"value": 90.0}, "observed": 140, "beyond_chance": True},
        ],
    },
    "signals": [
        {
            "signal": "mrr",
            "theme": "usage",
            "weight": 0.2,
            "psi": 0.31,
            "noise": 0.02,
            "missing": 0.1,
            "missing_then": 0.3,
        },
        {"signal": "seats", "theme": "usage", "weight": 0.001, "psi": 0.9, "noise": 0.02},
        {"signal": "steady", "theme": "usage", "weight": 0.1, "psi": 0.01, "noise": 0.02},
        {"signal": "without_bins", "theme": "usage", "weight": 0.1, "psi": None},
    ],
    "pending": {"rows": 700, "bands": [{"band": "all", "rows": 700, "expected": 61.4, "observed_so_far": 17}]},
}


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    home = tmp_path_factory.mktemp("model-page") / "home"
    with running_inside(home) as running:
        put_card(
            home,
            1,
            audit_findings=FINDINGS,
            by_segment=[{"segment": f"region = {HOSTILE}", "rows": 300, "base_rate": 0.1, "predicted": 0.2}],
            by_capacity=[{"share": 0.1, "rows": 43, "found": {"value": 0.46, "low": 0.4, "high": 0.52}}],
            top_signals=[{"signal": "age", "label": HOSTILE, "theme": "usage", "share": 0.4}],
        )
        put_card(home, 2, **carded.REFUSED)
        put_card(home, 3)
        (card.place(home, "churn-risk", 3) / card.NAME).write_text("{")
        put_report(home, 4, calibration_curve=[])
        put_card(home, 5, verdict="no signal found", verdict_code="no_signal", ready=False, metrics={}, by_band=[])
        put_standing(
            home,
            Version(1, ("champion",)),
            Version(2, ("challenger",)),
            events=(
                standing.event(standing.PROMOTED, 1),
                standing.event(standing.REFUSED, 2, why="failed: drift, 2.1 times"),
            ),
        )
        put_look(home, "2026-11-23", **LOOK)
        yield running


def shown(inside: Inside, path: str = "/churn-risk") -> str:
    answer = inside.client.get(f"/ui/models{path}")
    assert answer.status_code == 200, answer.text
    return " ".join(unescape(answer.text).split())


class TestList:
    def test_every_model_with_state_verdict_and_look(self, inside: Inside) -> None:
        html = shown(inside, "")
        for each in inside.client.get("/v1/models").json()["models"]:
            assert f'href="/ui/models/{each["model"]}">{each["title"]}</a>' in html
        assert '</span> live</span> <span class="nowrap">version 1</span>' in html
        assert "Of the 10 % of accounts that it puts first, 42 % left" in html
        assert 'someone should look</span> <span class="nowrap">2026-11-23' in html
        assert "drift: the score: 0.31" in html

    def test_a_model_that_was_never_fitted_names_the_command(self, inside: Inside) -> None:
        assert "python -m training fit expansion --source SOURCE" in shown(inside, "")
        assert "python -m training fit expansion --source SOURCE" in shown(inside, "/expansion")

    def test_a_live_model_that_nobody_looked_at_names_the_command(self, inside: Inside) -> None:
        assert "python -m training monitor lead-fit --source SOURCE" in shown(inside, "")


class TestModel:
    def test_figures_are_those_of_the_api(self, inside: Inside) -> None:
        html, told = shown(inside), inside.client.get("/v1/models/churn-risk").json()["card"]
        assert told["sentence"] in html
        for gate in told["gates"]:
            assert gate["found"] in html
            assert gate["needed"] in html
        assert "0.848 (0.823 to 0.872)" in html
        assert "age, lowest first" in html
        assert "+0.120" in html
        assert 'aria-label="Promised and observed share' in html
        assert "capacity 10 %" in html

    def test_open_and_accepted_findings(self, inside: Inside) -> None:
        html = shown(inside)
        assert "open</span>: leave it out" in html
        assert "accepted</span>: set when the lead is made" in html

    def test_what_came_true_and_what_is_pending_stand_apart(self, inside: Inside) -> None:
        html = shown(inside)
        ripe, pending = html.split("<h3>Came true</h3>")[1].split("<h3>Still pending</h3>")
        assert re.search(r"172 \(150 to 193\).*221", ripe)
        assert "140 <span" in ripe
        assert "beyond chance" in ripe
        assert re.search(r">61<.*>17<", pending.split("<h3>")[0])
        assert "221" not in pending.split("<h3>")[0]

    def test_drift_beyond_chance_the_most_moved_first(self, inside: Inside) -> None:
        html = shown(inside).split("<h3>Drift of its signals</h3>")[1].split("<h2")[0]
        assert "2 of 4 signals moved beyond chance" in html
        assert html.index(">seats<") < html.index(">mrr<")
        assert "steady" not in html
        seats, mrr = html.split(">seats<")[1].split(">mrr<")
        assert "beyond the limit" in mrr
        assert "beyond the limit" not in seats, "it has next to no weight"

    def test_an_earlier_look_is_a_link(self, inside: Inside) -> None:
        put_look(inside.state.settings.base.home, "2026-10-23", version=2, why=["too old to matter"], verdict="look")
        assert 'href="/ui/models/churn-risk?look=2026-10-23#live"' in shown(inside)
        html = shown(inside, "/churn-risk?look=2026-10-23")
        assert "It looked at version 2; version 1 serves now" in html
        assert "too old to matter" not in html, "what another version did is no alarm of this one"
        for date in ("2026-01-01", "x", "../../x", HOSTILE):
            answer = inside.client.get("/ui/models/churn-risk", params={"look": date})
            assert answer.status_code == 404
            assert "<img" not in answer.text

    def test_versions_with_who_and_why(self, inside: Inside) -> None:
        html = shown(inside).split('id="versions"')[1]
        for number in (1, 2, 3, 4, 5):
            assert f'href="/ui/models/churn-risk/versions/{number}"' in html
        assert "put live" in html
        assert "refused" in html
        assert "failed: drift, 2.1 times" in html
        assert "drift: 2.1 times (needed: between 0.61 and 1.65 times)" in html
        assert "churn-risk/v3/card.json is not complete JSON" in html

    def test_without_a_look_it_names_the_command(self, inside: Inside) -> None:
        html = shown(inside, "/lead-fit")
        assert "Nobody has looked at it yet" in html
        assert "python -m training monitor lead-fit --source SOURCE" in html

    def test_a_champion_without_a_card_names_the_command(self, inside: Inside) -> None:
        assert "no card: it was fitted elsewhere" in shown(inside, "/lead-fit")

    def test_an_unknown_model_is_a_page_of_the_same_look(self, inside: Inside) -> None:
        answer = inside.client.get("/ui/models/nonsense")
        assert answer.status_code == 404
        assert "/ui/static/page.css" in answer.text


class TestVersion:
    def test_a_refused_one_says_why(self, inside: Inside) -> None:
        html = shown(inside, "/churn-risk/versions/2")
        assert re.search(r"Not put live: refused [^<]* by <bdi>[^<]+</bdi>: failed: drift, 2.1 times", html)
        assert "✕</span> missed" in html
        assert "2.1 times" in html
        assert html.index("✕</span> missed") < html.index("✓</span> held"), "what was missed comes first"

    def test_without_a_card_it_says_so(self, inside: Inside) -> None:
        assert "churn-risk/v3/card.json is not complete JSON" in shown(inside, "/churn-risk/versions/3")

    def test_one_of_02_is_shown_from_its_report(self, inside: Inside) -> None:
        html = shown(inside, "/churn-risk/versions/4")
        assert "No calibration curve is kept" in html
        assert "0.848 (0.823 to 0.872)" in html

    def test_without_a_signal(self, inside: Inside) -> None:
        html = shown(inside, "/churn-risk/versions/5")
        assert "No signal found" in html
        assert "python -m features audit --model churn-risk" in html

    @pytest.mark.parametrize(("number", "status"), [("9", 404), ("0", 422), ("x", 422), ("9" * 12, 422)])
    def test_there_is_none(self, inside: Inside, number: str, status: int) -> None:
        answer = inside.client.get(f"/ui/models/churn-risk/versions/{number}")
        assert answer.status_code == status
        assert "/ui/static/page.css" in answer.text


class TestFaults:
    def test_each_is_told_and_everything_else_is_shown(self, tmp_path: Path) -> None:
        home = tmp_path / "home"
        with running_inside(home) as inside:
            put_card(home, 1)
            standing.place(home, "churn-risk").write_text("[")
            put_look(home, "2026-11-23").write_text("no")
            newer = put_card(home, 2)
            newer.write_text(json.dumps({"schema": 99}))
            for path in ("", "/churn-risk"):
                assert "churn-risk/standing.json is not complete JSON" in shown(inside, path)
                assert "churn-risk/2026-11-23.json is not complete JSON" in shown(inside, path)
            assert "is of a newer version" in shown(inside)
            assert "0.848 (0.823 to 0.872)" in shown(inside)
            monitor = home / "monitor" / "churn-risk"
            assert monitor_card.dates(home, "churn-risk")
            for file in monitor.iterdir():
                file.unlink()
            assert "python -m training monitor churn-risk" in shown(inside)


class TestReport:
    def test_it_is_served_with_a_policy_of_its_own(self, inside: Inside) -> None:
        folder = card.place(inside.state.settings.base.home, "churn-risk", 1)
        path = "/ui/models/churn-risk/versions/1/report"
        assert inside.client.get(path).status_code == 404
        assert path not in shown(inside)
        (folder / model.REPORT).write_text("<!doctype html><title>A report</title>")
        assert f'href="{path}"' in shown(inside)
        answer = inside.client.get(path)
        assert answer.text == "<!doctype html><title>A report</title>"
        policy = answer.headers["content-security-policy"]
        assert "sandbox" in policy
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert answer.headers["cache-control"] == "no-store"
        other = inside.client.get("/ui/models/churn-risk").headers["content-security-policy"]
        assert other == look.POLICY
        assert "unsafe" not in other

    def test_a_file_that_is_no_report_is_none(self, inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = card.place(inside.state.settings.base.home, "churn-risk", 2)
        path = "/ui/models/churn-risk/versions/2/report"
        (folder / model.REPORT).mkdir()
        assert inside.client.get(path).status_code == 404
        (folder / model.REPORT).rmdir()
        (folder / model.REPORT).write_text("x" * 100)
        assert inside.client.get(path).status_code == 200
        monkeypatch.setattr(model, "MOST_REPORT_BYTES", 99)
        assert inside.client.get(path).status_code == 404


class TestEveryPage:
    def test_hostile_words_are_text(self, inside: Inside) -> None:
        html = inside.client.get("/ui/models/churn-risk").text
        assert "&lt;img src=x" in html
        assert "<img" not in html

    def test_nothing_inline_one_title_headings_in_order(self, inside: Inside) -> None:
        for path in ("", "/churn-risk", "/lead-fit", "/expansion", *(f"/churn-risk/versions/{n}" for n in range(1, 6))):
            html = inside.client.get(f"/ui/models{path}").text
            assert not re.search(r"style=|<style|<script(?! src=)|<[^>]*\son\w+=", html), path
            levels = [int(found) for found in re.findall(r"<h(\d)", html)]
            assert levels[0] == 1
            assert levels.count(1) == 1
            assert all(after <= before + 1 for before, after in pairwise(levels)), path
            ids = re.findall(r' id="([^"]+)"', html)
            assert len(ids) == len(set(ids))
            for to in re.findall(r'href="#([^"]+)"', html):
                assert to in ids, (path, to)

    def test_no_entity_is_named(self, inside: Inside) -> None:
        assert "acc_4711" in json.dumps(carded.REPORT), "the report that the cards are made of names one"
        for path in ("", "/churn-risk", "/churn-risk/versions/4"):
            assert "acc_4711" not in shown(inside, path)
