"""The page of an account or a lead: every part of it, for every state that one can be in, with hostile names and ids."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import pytest

from features.kit.clock import parse_as_of
from models.scorer.scorer import Scorer
from serving.decisions import repository as history
from serving.privacy import repository as privacy
from serving.profiles import repository as profiles
from serving.profiles.repository import Profile
from serving.scoring import repository as stored_signals
from tests.kit.inside import NOW, Inside, running_inside
from tests.kit.list_rows import NOW_US, put, record

HOSTILE = '<img src=x onerror="alert(1)">\u202e'
LONG = "x" * 10_000
DAY_US = 86_400_000_000
IDS = ("acme", "a/b", "a/override", "override", "a b?c#d%2f", "ü/é", "x" * 256)
VALUES: dict[str, Any] = {
    **{f"number_{i}": float(i + 1) for i in range(5)},
    "number_5": None,
    "word_0": "alpha",
    "word_1": "gamma",
}


def scored(inside: Inside, entity_id: str, values: dict[str, Any], as_of_us: int, **more: Any) -> dict[str, Any]:
    """The decision record of signals, made by the live scorer itself."""
    champion = inside.state.champions.get(more.get("model", "churn-risk"))
    scorer: Scorer = champion.scorer
    x, _, _ = scorer.encode_records([values])
    probability = float(scorer.probability(x)[0])
    score, band = scorer.standing(probability)
    effects, _ = scorer.effects(x)
    return record(
        entity_id,
        as_of_us=as_of_us,
        scorer=champion.sha256,
        probability=probability,
        score=score,
        band=band,
        reasons=scorer.reasons(values, effects[0], 5),
        inputs=scorer.pack(values),
        version=1,
        **more,
    )


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with running_inside(tmp_path_factory.mktemp("entity")) as found:
        store = found.state.store
        put(store, [{"entity_id": each, "name": f"Company {each[:20]}"} for each in IDS])
        put(
            store,
            [
                {"entity_id": "group/1", "name": "Full Group"},
                {"entity_id": "hostile", "name": HOSTILE, "owner": HOSTILE, "domain": HOSTILE, "plan": HOSTILE},
                {"entity_id": "long", "name": LONG},
                {"entity_id": "leaving", "no_score": "already_leaving"},
                {"entity_id": "objects"},
                {"entity_id": "erased"},
                {"entity_id": "old", "as_of_us": NOW_US - 30 * DAY_US},
                {"entity_id": "lead/1", "model": "lead-fit", "name": "A Lead", "parent_id": "group/1"},
            ],
        )
        later = {**VALUES, "number_0": 40.0, "word_1": "alpha"}
        records = [
            scored(found, "full", VALUES, NOW_US - 7 * DAY_US, cause="batch", run_id="one"),
            scored(found, "full", later, NOW_US + 1, cause="batch", run_id="two"),
        ]
        profile = Profile(
            "account",
            "full",
            NOW_US,
            "Full Robotics",
            "full.example",
            "jane",
            "group/1",
            "1",
            {"industry": "software"},
            48_000.0,
            NOW_US + 41 * DAY_US,
            "team",
        )
        records += [
            scored(found, "thrice", {**VALUES, "number_0": float(n)}, NOW_US - n * 7 * DAY_US) for n in range(3)
        ]
        bare = record("bare", as_of_us=NOW_US)  # no profile
        row = stored_signals.row(
            "account",
            "full",
            parse_as_of(NOW),
            "eligible",
            48_000.0,
            {**VALUES, "contacts_known": 12.0, "has_decision_maker": 1.0, "mrr": 4_000.0, "term_months": 12.0},
            "run",
        )
        with found.writing() as connection:
            profiles.put(connection, [profile])
            history.put(connection, [*records, bare])
            stored_signals.put(connection, [row], NOW_US)
            privacy.object_to(connection, "account", "objects", NOW_US)
            privacy.erase(connection, "account", "erased", NOW_US)
        yield found


def at(entity_id: str, kind: str = "account") -> str:
    return f"/ui/{kind}/{quote(entity_id)}"


def shown(inside: Inside, entity_id: str, query: str = "", kind: str = "account") -> str:
    answer = inside.client.get(at(entity_id, kind) + query)
    assert answer.status_code == 200, answer.text
    return answer.text


def part(html: str, anchor: str) -> str:
    """The section that an anchor heads, without tags."""
    found = re.search(rf'<section[^>]* aria-labelledby="{anchor}">(.*?)</section>', html, re.S)
    assert found is not None, anchor
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", found[1])).split())


class TestScore:
    def test_the_number_is_said_in_words(self, inside: Inside) -> None:
        answer = inside.client.get("/v1/account/full").json()["models"][0]["score"]
        text = part(shown(inside, "full"), "score")
        base = inside.state.champions.get("churn-risk").scorer.spec.base_rate
        said = re.search(r"([\d.]+) %, against ([\d.]+) % for all; (\d+)(?:st|nd|rd|th) of 100\.", text)
        assert said is not None
        assert float(said[1]) == pytest.approx(100 * answer["probability"], abs=0.5)
        assert float(said[2]) == pytest.approx(100 * base, abs=0.5)
        assert int(said[3]) == answer["score"]
        assert f"about {100 * answer['probability']:.0f} left within 90 days" in text

    def test_the_first_model_with_a_score_is_shown_and_another_one_on_demand(self, inside: Inside) -> None:
        assert '<h2 id="score">Churn risk</h2>' in shown(inside, "full")
        assert '<h2 id="score">Expansion</h2>' in shown(inside, "full", "?model=expansion")
        assert "No score by this model yet." in shown(inside, "full", "?model=expansion")

    @pytest.mark.parametrize("model", ["lead-fit", "nonsense", "%00"])
    def test_a_model_of_other_entities_is_not_there(self, inside: Inside, model: str) -> None:
        assert inside.client.get(f"/ui/account/full?model={model}").status_code == 404

    def test_without_a_score_the_reason_stands_in_its_place(self, inside: Inside) -> None:
        text = part(shown(inside, "leaving"), "score")
        assert "No score: The account gave notice" in text

    def test_an_old_score_has_a_banner(self, inside: Inside) -> None:
        assert "This score is 30 days old" in shown(inside, "old")
        assert "days old" not in shown(inside, "full")

    def test_a_lead_has_its_own_page(self, inside: Inside) -> None:
        html = shown(inside, "lead/1", kind="lead")
        assert "A Lead" in html
        assert "Expected value" in html
        assert inside.client.get("/ui/account/lead/1").status_code == 404


class TestStates:
    def test_who_objected_is_shown_as_of_before(self, inside: Inside) -> None:
        assert "objected to being scored on 2026-03-01" in shown(inside, "objects")

    def test_who_was_erased_is_not_there(self, inside: Inside) -> None:
        assert inside.client.get("/ui/account/erased").status_code == 404

    def test_an_unknown_id_is_a_page_of_the_same_look(self, inside: Inside) -> None:
        answer = inside.client.get("/ui/account/nobody")
        assert answer.status_code == 404
        assert "/ui/static/page.css" in answer.text

    def test_without_a_profile_the_id_is_the_name(self, inside: Inside) -> None:
        html = shown(inside, "bare")
        assert "<h1><bdi>bare</bdi></h1>" in html
        assert "No profile of it is stored." in part(html, "facts")

    @pytest.mark.parametrize("entity_id", IDS)
    def test_any_id_has_a_page_and_forms_that_come_back_to_it(self, inside: Inside, entity_id: str) -> None:
        html = shown(inside, entity_id)
        assert f"Company {entity_id[:20]}" in unescape(html)
        actions = {unescape(found) for found in re.findall(r'<form method="post" action="([^"]+)"', html)}
        assert actions == {at(entity_id) + "?model=churn-risk"}

    def test_an_id_that_no_store_keeps_or_that_is_too_long_is_refused(self, inside: Inside) -> None:
        assert inside.client.get("/ui/account/a%00b").status_code == 422
        assert inside.client.get("/ui/account/" + "x" * 257).status_code == 422


class TestReasons:
    def test_they_are_the_scorers_with_effects_rates_and_members(self, inside: Inside) -> None:
        html = shown(inside, "full")
        text = part(html, "why")
        told = inside.client.get("/v1/account/full").json()["models"][0]["score"]["reasons"]
        assert all(reason["text"] in text for reason in told)
        assert {reason["direction"] for reason in told} == {"up", "down"}
        assert html.count('class="strength"') > len(told)
        assert " alike, " in text
        assert 'class="members small"' in html

    def test_without_its_scorer_the_recorded_ones_are_told(self, inside: Inside) -> None:
        html = shown(inside, "acme")
        assert "12 users were active in the last 28 days" in part(html, "why")
        assert "Only the strongest reasons are known" in html
        assert "The scorer x of churn-risk is not in the home any more" in html
        assert 'id="themes"' not in html

    def test_themes_are_a_chart_with_a_table(self, inside: Inside) -> None:
        html = shown(inside, "full")
        assert 'id="themes"' in html
        assert re.search(r"<td>usage</td><td>[×÷] [\d.]+</td>", html)


class TestChange:
    def test_it_is_the_exact_split_of_the_api(self, inside: Inside) -> None:
        told = inside.client.get("/v1/account/full/change").json()
        text = part(shown(inside, "full"), "change")
        assert f"From {told['before']['score']} on 2026-02-22 to {told['after']['score']} on 2026-03-01" in text
        points = {name: value for name, value in told["score_parts"].items() if value}
        assert points
        said = re.findall(r"([+−]\d+) by", text)
        assert [int(each.replace("−", "-")) for each in said] == list(points.values())
        assert told["signals"][0]["text"] in text

    def test_with_one_score_there_is_nothing_to_compare(self, inside: Inside) -> None:
        assert "no two scores" in part(shown(inside, "acme"), "change")

    def test_what_is_no_moment_is_said(self, inside: Inside) -> None:
        assert "not a date" in part(shown(inside, "full", "?since=zz"), "change")

    def test_any_earlier_score_can_be_compared_with(self, inside: Inside) -> None:
        links = re.findall(r'<option value="(2026[^"]+)"', shown(inside, "thrice"))
        assert [link[:10] for link in links] == ["2026-02-22", "2026-02-15"]
        text = part(shown(inside, "thrice", f"?since={links[1]}"), "change")
        assert " on 2026-02-15 to " in text
        assert " on 2026-02-22 to " in part(shown(inside, "thrice"), "change")

    def test_the_history_is_a_line_of_both(self, inside: Inside) -> None:
        assert "2 moments" in part(shown(inside, "full"), "history")
        assert "One score so far" in part(shown(inside, "acme"), "history")


class TestSignals:
    def test_each_has_value_moment_peers_and_table(self, inside: Inside) -> None:
        text = part(shown(inside, "full"), "signals")
        assert "As of 2026-03-01 06:00" in text
        assert re.search(r"Number 0 40 .*?\d+ % (lower|alike)", text)
        assert "Word 0 alpha" in text
        assert "the same" in text

    def test_stored_signals_of_the_catalog_are_facts(self, inside: Inside) -> None:
        text = part(shown(inside, "full"), "facts")
        assert "People known at the company 12" in text
        assert "A decision maker is known yes" in text
        assert "Length of the term 12 months" in text
        assert "Yearly revenue $48,000" in text
        assert "not stored" in text

    def test_where_none_are_stored_the_page_says_so(self, inside: Inside) -> None:
        assert "No signals of it are stored" in part(shown(inside, "bare"), "signals")


class TestColours:
    def test_a_high_score_of_a_lead_is_good_news_and_of_an_account_bad_news(self, inside: Inside) -> None:
        assert '<div class="sides high-is-good">' in shown(inside, "lead/1", kind="lead")
        assert '<div class="sides">' in shown(inside, "full")
        assert '<div class="sides high-is-good">' in shown(inside, "full", "?model=expansion")


class TestFamily:
    def test_parent_and_children_are_links(self, inside: Inside) -> None:
        assert '<a href="/ui/account/group/1"><bdi>Full Group</bdi></a>' in shown(inside, "full")
        assert '<a href="/ui/account/full"><bdi>Full Robotics</bdi></a>' in shown(inside, "group/1")

    def test_leads_of_an_account_have_their_score_and_lead_back(self, inside: Inside) -> None:
        text = part(shown(inside, "group/1"), "family")
        assert "Leads A Lead lead/1 80 medium" in text
        html = shown(inside, "lead/1", kind="lead")
        assert "<dt>Account</dt><dd>" in html
        assert '<a href="/ui/account/group/1"><bdi>Full Group</bdi></a>' in html


class TestDecisions:
    def link(self, inside: Inside) -> str:
        found = re.search(r'href="([^"]+replay=\d+#decisions)"', shown(inside, "full"))
        assert found is not None
        return unescape(found[1])

    def test_a_replay_says_that_it_is_the_same(self, inside: Inside) -> None:
        answer = inside.client.get(self.link(inside))
        assert "the same to the last bit" in part(answer.text, "decisions")

    def test_one_of_another_entity_is_not_replayed(self, inside: Inside) -> None:
        link = self.link(inside).replace("/full?", "/acme?")
        assert "No decision of this account" in part(inside.client.get(link).text, "decisions")

    @pytest.mark.parametrize("number", ["x", "0", "999999999999999999999999", "%00", "²"])
    def test_no_number_breaks_it(self, inside: Inside, number: str) -> None:
        assert "No decision of this account" in shown(inside, "full", f"?replay={number}")


class TestHostile:
    def test_names_are_text(self, inside: Inside) -> None:
        html = shown(inside, "hostile")
        assert "<img" not in html
        assert html.count("&lt;img") >= 4

    def test_a_name_of_any_length_is_shown(self, inside: Inside) -> None:
        html = shown(inside, "long")
        assert f"<h1><bdi>{LONG}</bdi></h1>" in html
        assert len(html) < 100_000

    def test_nothing_inline_and_a_label_for_each_field(self, inside: Inside) -> None:
        for entity_id in ("full", "hostile", "leaving"):
            html = shown(inside, entity_id)
            assert not re.search(r"style=|<style|<script(?! src=)|<[^>]*\son\w+=", html)
            for name in re.findall(r'<(?:input|select|textarea)[^>]* id="([^"]+)"', html):
                assert f'for="{name}"' in html
            ids = re.findall(r' id="([^"]+)"', html)
            assert len(ids) == len(set(ids))

    def test_headings_are_in_order(self, inside: Inside) -> None:
        levels = [int(found) for found in re.findall(r"<h(\d)", shown(inside, "full"))]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(b - a <= 1 for a, b in pairwise(levels))
