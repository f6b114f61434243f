"""What a score's answer says of a record, apart from HTTP."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import UNSET

from features.kit.clock import DAY_US, to_us
from features.sources.suppression import hash_of_id
from models.catalog import get_model
from models.champion_pointer import Pointer
from serving.champion import Champion
from serving.overrides.repository import Override
from serving.privacy.cache import Directives
from serving.privacy.repository import Erased
from serving.scoring.repository import StoredSignals
from serving.scoring.request_parser import parse
from serving.scoring.service import ScoredRequest, Terms, score
from tests.kit.scorers import make_scorer

NOW_US = to_us(dt.datetime(2026, 3, 1, 6, tzinfo=dt.UTC))
VALUES: dict[str, Any] = {"number_0": 1.5, "number_1": None, "number_3": 200.0, "word_0": "beta", "word_1": None}


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Champion:
    scorer = make_scorer(tmp_path_factory.mktemp("scorer") / "scorer")
    return Champion(get_model("churn-risk"), Pointer("churn-risk", 3, scorer.sha256, Path(), "2026-01-01"), scorer)


def stored(days: float = 0.0, earlier: int | None = None, eligibility: str = "eligible") -> dict[str, StoredSignals]:
    return {"acme": StoredSignals(NOW_US - int(days * DAY_US), eligibility, 1000.0, dict(VALUES), earlier)}


def ask(champion: Champion, body: str, rows: dict[str, StoredSignals] | None = None, **terms: Any) -> ScoredRequest:
    records, reasons = parse(body.encode())
    return score(champion, records, reasons, rows or {}, Terms(NOW_US, **terms))


class TestNumbers:
    def test_base_and_themes_sum_to_the_log_odds(self, champion: Champion) -> None:
        given = ask(champion, '{"records": [{"entity_id": "acme"}], "reasons": 20}', stored()).answer.results[0]
        log_odds = np.log(given.probability / (1 - given.probability))
        assert given.base + sum(given.themes.values()) == pytest.approx(log_odds, abs=1e-9)
        assert given.fit_intent.fit == given.themes["firmographic"]
        assert given.fit_intent.intent == given.themes["usage"]

    def test_reasons_say_their_direction(self, champion: Champion) -> None:
        given = ask(champion, '{"records": [{"entity_id": "acme"}], "reasons": 20}', stored()).answer.results[0]
        assert {reason.direction for reason in given.reasons} == {"up", "down"}
        assert all((reason.effect > 0) == (reason.direction == "up") for reason in given.reasons)

    @pytest.mark.parametrize(
        ("move", "said"), [(-30, "declining"), (30, "improving"), (0, "steady"), (None, "not_enough")]
    )
    def test_trend_is_seen_from_the_relationship(self, champion: Champion, move: int | None, said: str) -> None:
        body = '{"records": [{"entity_id": "acme"}]}'
        now = ask(champion, body, stored()).answer.results[0].score
        given = ask(champion, body, stored(earlier=None if move is None else now + move)).answer.results[0]
        assert given.trend == said  # a churn risk that was lower before is an account that declined


class TestNoScore:
    def code(self, given: ScoredRequest) -> str | None:
        result = given.answer.results[0]
        assert (result.probability is UNSET) == (result.no_score is not UNSET)
        return None if result.no_score is UNSET else result.no_score.code

    def test_signals_older_than_the_horizon_are_stale(self, champion: Champion) -> None:
        body = '{"records": [{"entity_id": "acme"}]}'
        assert self.code(ask(champion, body, stored(days=90))) is None
        assert self.code(ask(champion, body, stored(days=91))) == "stale"
        assert self.code(ask(champion, body, stored(days=91), stale_after_us=92 * DAY_US)) is None
        assert self.code(ask(champion, body, stored(days=5), stale_after_us=4 * DAY_US)) == "stale"

    def test_old_signals_get_a_warning_before_they_are_stale(self, champion: Champion) -> None:
        body = '{"records": [{"entity_id": "acme"}]}'
        assert any("5 days old" in w for w in ask(champion, body, stored(days=5)).answer.results[0].warnings)
        assert not any("days old" in w for w in ask(champion, body, stored(days=1)).answer.results[0].warnings)

    def test_without_any_value_there_is_too_little_history(self, champion: Champion) -> None:
        assert self.code(ask(champion, '{"records": [{"signals": {}}]}')) == "too_little_history"
        assert self.code(ask(champion, '{"records": [{"signals": {"number_0": null}}]}')) == "too_little_history"
        assert self.code(ask(champion, '{"records": [{"signals": {"number_0": 0}}]}')) is None

    @pytest.mark.parametrize("code", ["already_leaving", "internal", "opted_out", "not_customer"])
    def test_eligibility_codes_of_the_panel_are_passed_on(self, champion: Champion, code: str) -> None:
        assert self.code(ask(champion, '{"records": [{"entity_id": "acme"}]}', stored(eligibility=code))) == code

    def test_an_objection_stops_scoring_whatever_is_sent(self, champion: Champion) -> None:
        body = '{"records": [{"entity_id": "acme"}, {"entity_id": "acme", "signals": {"number_0": 1}}]}'
        given = ask(
            champion, body, stored(), directives=Directives(objecting={("account", hash_of_id("account", "acme")): 1})
        )
        assert [r.no_score.code for r in given.answer.results] == ["opted_out", "opted_out"]
        assert [d["inputs"] for d in given.decisions] == [b"[]", b"[]"]
        assert (
            self.code(
                ask(
                    champion, body, stored(), directives=Directives(objecting={("lead", hash_of_id("lead", "acme")): 1})
                )
            )
            is None
        )

    def test_what_was_erased_is_neither_scored_nor_recorded(self, champion: Champion) -> None:
        body = '{"records": [{"entity_id": "acme", "signals": {"number_0": 1}}]}'
        given = ask(
            champion,
            body,
            directives=Directives(erased=Erased(frozenset({("account", hash_of_id("account", "acme"))}))),
        )
        assert self.code(given) == "erased"
        assert given.decisions == []
        assert len(ask(champion, body).decisions) == 1  # its twin that was not erased


class TestOverride:
    def test_an_override_stands_beside_the_score_and_does_not_change_it(self, champion: Champion) -> None:
        body = '{"records": [{"entity_id": "acme"}], "reasons": 5}'
        alone = ask(champion, body, stored()).answer.results[0]
        put = Override("churn-risk", "account", "acme", "low", "They signed.", "j.doe", NOW_US - 5, NOW_US + 5)
        directives = Directives(overrides={("churn-risk", "acme"): put})
        beside = ask(champion, body, stored(), directives=directives).answer.results[0]
        assert beside.override.band == "low"
        assert beside.override.reason == "They signed."
        for name in ("probability", "score", "band", "reasons", "themes"):
            assert getattr(beside, name) == getattr(alone, name)
        assert alone.override is UNSET

    def test_an_override_expires(self, champion: Champion) -> None:
        put = Override("churn-risk", "account", "acme", "low", "They signed.", "j.doe", NOW_US - 5, NOW_US)
        directives = Directives(overrides={("churn-risk", "acme"): put})
        given = ask(champion, '{"records": [{"entity_id": "acme"}]}', stored(), directives=directives).answer.results[0]
        assert given.override is UNSET
