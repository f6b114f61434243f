"""The start page: every number leads to the list that shows its rows, and says when it was counted."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from datetime import date
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from features.kit.clock import DAY_US
from models.catalog import get_model
from serving.audit_log.entry import Command
from serving.lists import summaries
from serving.lists.summaries import Summaries
from serving.lists.summary import Segment, Summary, Sums, Work
from serving.notes import repository as notes
from serving.notes.repository import Note
from serving.overrides import repository as overrides
from serving.overrides.repository import Override
from serving.page.portfolio_view import MOST_MONTHS, section
from serving.privacy import repository as privacy
from serving.runs import run_card
from serving.runs.run_card import BandSums, RunCard, ScoredModel
from tests.kit.inside import Inside, running_inside
from tests.kit.list_rows import NOW_US, put

HOSTILE = '<img src=x onerror="alert(1)">\u202e&x=1'
CHURN = get_model("churn-risk")
JANE = Command("key:1", "jane", "person")


def fill(inside: Inside) -> None:
    accounts: list[dict[str, Any]] = [
        {
            "entity_id": f"a/{n:02d}",
            "name": f"Acme {n}",
            "probability": 0.5 if n % 3 == 0 else 0.25,
            "score": 40 + n,
            "band": "high" if n % 3 == 0 else "low",
            "value": 1000.0,
            "segments": {"industry": HOSTILE if n % 5 == 0 else "food", "region": "emea"},
            "renewal_at": None if n % 7 == 0 else NOW_US + (n - 5) * 20 * DAY_US,
        }
        for n in range(30)
    ]
    put(inside.state.store, [{**each, "as_of_us": NOW_US - DAY_US, "score": 52} for each in accounts])
    put(inside.state.store, accounts)
    put(inside.state.store, [{"entity_id": "a/none", "no_score": "not_customer"}])
    leads = [
        {"entity_id": f"l/{n}", "model": "lead-fit", "band": "high", "theme": theme, "probability": 0.5}
        for n, theme in enumerate(("firmographic", "engagement", "engagement"))
    ]
    put(inside.state.store, leads)
    told = [
        Note("1", "action", "account", "a/00", "call", NOW_US - 9 * DAY_US, NOW_US - 9 * DAY_US, "us", None),
        Note("2", "outcome", "account", "a/00", "churned", NOW_US - DAY_US, NOW_US - DAY_US, "us", None),
        Note("3", "action", "account", "a/01", HOSTILE, NOW_US - DAY_US, NOW_US - DAY_US, "us", None),
    ]
    with inside.writing() as connection:
        notes.put(connection, told)
        overrides.put(connection, Override("churn-risk", "account", "a/03", "low", "x", "jane", 1, None))


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with pytest.MonkeyPatch.context() as patch, running_inside(tmp_path_factory.mktemp("portfolio")) as found:
        patch.setattr(summaries, "FIRST_WAIT_SECONDS", 30)
        patch.setattr(summaries, "WAIT_SECONDS", 30)
        fill(found)
        yield found


def shown(inside: Inside) -> str:
    answer = inside.client.get("/ui/")
    assert answer.status_code == 200, answer.text
    return answer.text


def links(html: str) -> list[tuple[str, str]]:
    """Each link into a list, and what it says."""
    found = re.findall(r'<a href="(/ui/(?:churn-risk|lead-fit)\?[^"]+)">(.*?)</a>', html, re.S)
    return [(unescape(link), re.sub(r"<[^>]+>", "", text).strip()) for link, text in found]


def count(inside: Inside, link: str) -> int:
    """The rows of the list behind a link, as the API has them."""
    path, _, query = link.removeprefix("/ui/").partition("?")
    answer = inside.client.get(f"/v1/{path}/scores?{query}&limit=200")
    assert answer.status_code == 200, (link, answer.text)
    return len(answer.json()["rows"])


def test_every_link_is_a_list_that_the_page_has(inside: Inside) -> None:
    html = shown(inside)
    assert len(links(html)) > 30
    for link, _ in links(html):
        assert inside.client.get(link).status_code == 200, link


def test_every_table_row_counts_the_rows_of_its_list(inside: Inside) -> None:
    html = shown(inside)
    rows = re.findall(
        r'<tr><th scope="row"><a href="([^"]+)"><bdi>(.*?)</bdi></a></th><td class="num"[^>]*>([\d,]+)<', html
    )
    assert len(rows) > 15
    for link, label, number in rows:
        assert count(inside, unescape(link)) == int(number.replace(",", "")), label


@pytest.mark.parametrize(
    ("what", "number"),
    [("band=high&acted=yes", 1), ("band=low&acted=yes", 1), ("band=high&acted=no", 9), ("overridden=yes", 1)],
)
def test_work_done_is_the_rows_of_its_list(inside: Inside, what: str, number: int) -> None:
    link = f"/ui/churn-risk?{what}"
    assert count(inside, link) == number
    said = [text for each, text in links(shown(inside)) if each == link]
    assert [re.sub(r"\D", "", text) for text in said] == [str(number)]


def test_sums_are_what_one_adds_up(inside: Inside) -> None:
    html = shown(inside)
    assert ">10.0</a>" in html, "10 x 0.5 + 20 x 0.25"
    assert ">$10,000</a>" in html
    assert "of $30,000, 33 %" in html
    assert "of 30 accounts with a score" in html
    assert "Expected to leave within 90 days" in html
    assert "Expected to become customers within 60 days" in html


def test_risen_and_fallen(inside: Inside) -> None:
    rows = inside.client.get("/v1/churn-risk/scores?changed_by=10&limit=200").json()["rows"]
    risen, fallen = (len([row for row in rows if row["change"] * sign > 0]) for sign in (1, -1))
    said = {link: text for link, text in links(shown(inside)) if "changed_by=10" in link and "churn" in link}
    assert [re.sub(r"\D", "", text) for text in said.values()] == [str(risen), str(fallen)]
    for link, sign in zip(said, (1, -1), strict=True):
        query = link.partition("?")[2]
        first = inside.client.get(f"/v1/churn-risk/scores?{query}&limit=1").json()["rows"][0]
        assert first["change"] * sign > 0


def test_fit_is_who_a_lead_is_and_intent_what_it_does(inside: Inside) -> None:
    html = re.sub(r"\s+", " ", shown(inside))
    assert '<th scope="row">firmographic</th><td data-label="Kind">fit</td>' in html
    assert '<th scope="row">engagement</th><td data-label="Kind">intent</td>' in html
    assert html.index(">firmographic<") < html.index(">engagement<")


def test_what_came_of_it(inside: Inside) -> None:
    html = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", shown(inside)))
    assert "1 churned, of 2 acted upon" in html


def test_hostile_segments_and_words_are_text(inside: Inside) -> None:
    html = shown(inside)
    assert "<img" not in html
    assert "&lt;img" in html
    link = next(link for link, text in links(html) if "img" in unescape(text))
    assert count(inside, link) == 6


def test_nothing_inline_and_one_heading(inside: Inside) -> None:
    html = shown(inside)
    assert not re.search(r"style=|<style|<script(?! src=)|<[^>]*\son\w+=", html)
    assert html.count("<h1>") == 1
    levels = [int(level) for level in re.findall(r"<h(\d)", html)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert len(html.encode()) < 100_000


def test_who_objects_or_is_erased_leaves_the_next_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summaries, "FIRST_WAIT_SECONDS", 30)
    monkeypatch.setattr(summaries, "WAIT_SECONDS", 30)
    with running_inside(tmp_path) as inside:
        fill(inside)
        assert "of 30 accounts with a score" in shown(inside)
        with inside.writing() as connection:
            privacy.object_to(connection, "account", "a/02", NOW_US, by=JANE)
        assert "of 29 accounts with a score" in shown(inside)
        with inside.writing() as connection:
            privacy.erase(connection, "account", "a/04", NOW_US, by=JANE)
        assert "of 28 accounts with a score" in shown(inside)


def run(home: Path, as_of: str, version: int, count: int) -> None:
    sums = BandSums(count=count, expected=count / 4, value=1000.0 * count, at_stake=250.0 * count)
    models = {"churn-risk": ScoredModel(version=version, rows=50, scored=count, bands={"high": sums})}
    card = RunCard(state="published", source="sample", as_of=as_of, started_at=f"{as_of}T02:00:00Z", models=models)
    run_card.Written(home, f"{as_of.replace('-', '')}T020000Z-aaaaaa").write(card)


def test_what_changed_since_the_month_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summaries, "FIRST_WAIT_SECONDS", 30)
    with running_inside(tmp_path) as inside:
        put(inside.state.store, [{"entity_id": "a"}])
        assert "Two nightly runs are needed" in shown(inside)
        run(tmp_path, "2026-01-31", 1, 30)
        run(tmp_path, "2026-02-28", 2, 26)
        html = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", shown(inside)))
        assert "28 days apart: version 1 then, 2 now" in html
        assert "Accounts with a score 30 26 −4" in html
        assert "Expected to leave 7.5 6.5 −1.0" in html
        assert "Revenue at risk $7,500 $6,500 −$1,000" in html
        assert "In band high 30 26 −4" in html


def test_no_live_model_names_the_next_command(tmp_path: Path) -> None:
    with running_inside(tmp_path) as inside:
        inside.state.champions._statuses = {
            name: type(status)() for name, status in inside.state.champions._statuses.items()
        }
        html = shown(inside)
    assert "No model is live" in html
    assert "python -m training fit churn-risk" in html


def test_no_score_names_the_next_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summaries, "FIRST_WAIT_SECONDS", 30)
    with running_inside(tmp_path) as inside:
        html = shown(inside)
    assert "No scores yet: Churn risk, Lead fit" in html
    assert "python -m serving batch" in html


def test_while_it_is_counted_for_the_first_time_it_says_so_and_asks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def counting(*_: object) -> None:
        return None

    monkeypatch.setattr(Summaries, "get", counting)
    with running_inside(tmp_path) as inside:
        html = shown(inside)
    assert '<meta http-equiv="refresh" content="3">' in html
    assert "being counted for the first time" in html
    assert "No scores yet" not in html


def bare(**given: Any) -> Summary:
    usual = {
        "model": "churn-risk",
        "bands": {"high": Sums(4, 2.0, 40.0, 20.0)},
        "without": {},
        "themes": {},
        "months": {},
        "segments": {},
        "risen": 0,
        "fallen": 0,
        "acted": {},
        "overrides": {},
        "work": Work(),
    }
    return Summary(**{**usual, **given})


class TestSection:
    TODAY = date(2026, 3, 15)

    def test_past_and_far_months_are_one_line_each(self) -> None:
        months: dict[str | None, Sums] = {
            f"{2026 + n // 12}-{n % 12 + 1:02d}": Sums(1, 0.5, 10.0, float(n)) for n in range(24)
        }
        months[None] = Sums(3, 1.0, 5.0, 1.0)
        lines = section(CHURN, bare(months=months), None, self.TODAY).months
        assert [line.label for line in lines[:2]] == ["Over already", "Mar 2026"]
        assert [line.label for line in lines[-2:]] == ["Later", "Not known"]
        assert len(lines) == MOST_MONTHS + 3
        assert (lines[0].sums.count, lines[-2].sums.count) == (2, 24 - 2 - MOST_MONTHS)
        assert lines[0].link == "/ui/churn-risk?band=high&renewal_before=2026-03-01"
        assert "renewal_from=2026-12-01&renewal_before=2027-01-01" in str(lines[10].link)
        assert lines[-2].link == "/ui/churn-risk?band=high&renewal_from=2027-06-01"

    def test_bars_are_of_the_largest_line(self) -> None:
        months: dict[str | None, Sums] = {"2026-04": Sums(1, 0.5, 1.0, 50.0), "2026-05": Sums(1, 0.5, 1.0, 200.0)}
        assert [line.share for line in section(CHURN, bare(months=months), None, self.TODAY).months] == [0.25, 1.0]
        nothing: dict[str | None, Sums] = {"2026-04": Sums(1, 0.5)}
        assert [line.share for line in section(CHURN, bare(months=nothing), None, self.TODAY).months] == [0.0]

    def test_other_and_unknown_values_have_no_link(self) -> None:
        segments = {"account_tier": Segment({"a&b": Sums(1, 0.5)}, Sums(5, 1.0), 2, Sums(1, 0.1))}
        lines = section(CHURN, bare(segments=segments), None, self.TODAY).segments["account tier"]
        assert [(line.label, line.link) for line in lines] == [
            ("a&b", "/ui/churn-risk?band=high&segment.account_tier=a%26b"),
            ("2 others", None),
            ("Not known", None),
        ]
