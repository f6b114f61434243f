"""The count over a published run: nothing contradicts itself, no idea is told twice; without the guards it is not so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from features.signals.signal import Phrase, Signal
from models.scorer import comparisons
from models.scorer.scorer import Scorer
from models.scorer.topics import Topics
from models.scorer.writer import LinearPart
from serving.__main__ import app
from serving.batch import reasons_check
from serving.batch.schema import REASON
from serving.scoring.arrow import lists, members, signal_and_theme
from tests.kit.scorers import make_scorer, random_rows

NAMES = ("web_visits_7d", "web_visits_28d", "web_visits_84d", "talks_7d", "talks_28d", "lead_age_days")
ROWS = 2_000


def make(folder: Path) -> Scorer:
    """A scorer in which what one column alone shows and what it does beside the others differ: two windows of one measure."""
    x, _ = random_rows(ROWS, seed=3)
    x[:, 1] = x[:, 0] * 10 + np.random.default_rng(1).normal(size=ROWS)
    y = (np.random.default_rng(2).random(ROWS) < 1 / (1 + np.exp(-np.nan_to_num(x[:, 0])))).astype(float)
    signals = [
        Signal(name, "engagement", "points", "before as_of", "never", name, Phrase(f"{name} is {{value}}."))
        for name in NAMES
    ]
    signals += [
        Signal(f"word_{i}", "firmographic", "category", "before as_of", "never", f"word {i}", Phrase("Word {value}."))
        for i in range(2)
    ]
    knots = [np.nanquantile(x[:, j], [0.1, 0.9]) for j in range(6)] + [np.empty(0)] * 2
    turned = [np.array([-3.0, 3.0]), np.array([2.0, -2.0]), *[np.array([-1.0, 1.0])] * 4, *[np.zeros(7)] * 2]
    linear = LinearPart(knots, turned, [0.0] * 8, 0.0)
    return make_scorer(folder, "lead-fit", signals, rows=(x, y), linear=linear, boosters=[], tree_share=0.0)


def counted(scorer: Scorer, k: int = 5) -> reasons_check.Counted:
    """What the check counts over the reasons that the scorer gives to its own rows."""
    x, _ = random_rows(ROWS, seed=3)
    told = scorer.tell(x, scorer.explain(x)[1], k)
    nothing = [pa.nulls(len(told.rows), pa.float64()), pa.nulls(len(told.rows), pa.string())]
    texts = pa.array(told.texts, pa.string()).take(pa.array(told.places))
    children = [*signal_and_theme(scorer, told), *nothing, pa.array(told.effects), texts, members(scorer, told)]
    return reasons_check.count(lists(told.counts, list(REASON), children).to_pylist(), scorer.spec.entity)


class TestCount:
    def test_a_scorer_never_contradicts_itself_nor_tells_an_idea_twice(self, tmp_path: Path) -> None:
        found = counted(make(tmp_path / "scorer"))
        assert (found.contradictions, found.told_twice) == (0, 0)
        assert found.with_rate > 500
        assert found.lists > 1_900

    def test_without_the_rule_of_the_side_it_contradicts_itself(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin: every rate is told, whatever the effect."""
        make(tmp_path / "scorer")
        monkeypatch.setattr(
            "models.scorer.reason_texts.Speaker._end",
            staticmethod(lambda found, up: f"; {found[0]}." if found[1] else ""),
        )
        assert counted(Scorer.load(tmp_path / "scorer")).contradictions > 100

    def test_without_groups_ideas_are_told_twice(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin: every signal is a group of its own."""
        make(tmp_path / "scorer")
        monkeypatch.setattr("models.scorer.topics.topic_of", lambda name: name)
        plain = Scorer.load(tmp_path / "scorer")
        described = [
            type(s)(**{**{f: getattr(s, f) for f in s.__struct_fields__}, "topic": ""}) for s in plain.spec.signals
        ]
        plain.topics = Topics(described)
        assert counted(plain).told_twice > 1_000

    def test_scorers_of_0_1_obey_too(self, tmp_path: Path) -> None:
        """They have no topics and no words for entities alike: the name without its window, and the sentence, stand in."""
        scorer = make(tmp_path / "scorer")
        old = json.loads((tmp_path / "scorer" / "scorer.json").read_bytes())
        for signal in old["signals"]:
            del signal["topic"]
            del signal["bins"]["whole"]
            for word in ("one", "like", "like_negative", "pair", "beside"):
                del signal["words"][word]
        from models.scorer import artefact

        files, _ = artefact.read_files(tmp_path / "scorer")
        artefact.write_files(tmp_path / "old", {**files, "scorer.json": json.dumps(old).encode()})
        loaded = Scorer.load(tmp_path / "old")
        assert loaded.topics.lists == scorer.topics.lists
        found = counted(loaded)
        assert (found.contradictions, found.told_twice) == (0, 0)
        assert found.with_rate > 500


class TestSide:
    def test_a_rate_within_noise_is_left_out(self) -> None:
        """Wilson's interval of 10 of 100 is 5.5 to 17.4 % (the textbook's value): 7 % is inside, 5 and 18 % are not."""
        assert comparisons.side_of(0.1, 100, 0.07) == 0
        assert comparisons.side_of(0.1, 100, 0.05) == 1
        assert comparisons.side_of(0.1, 100, 0.18) == -1

    def test_a_rate_that_reads_like_the_overall_one_is_left_out(self) -> None:
        assert comparisons.side_of(0.1149, 10**6, 0.1051) == 0
        assert comparisons.side_of(0.1149, 10**6, 0.1049) == 1


class TestCommand:
    def test_old_and_new_words_are_both_read(self) -> None:
        told = "The term is 12 months; of accounts {} 4.9 % left within 90 days (7.2 % overall)."
        for like in ("like this", "with a term of 12 months,"):
            reason = {"signal": "term_months", "theme": "commercial", "effect": 0.06, "text": told.format(like)}
            assert reasons_check.count([[reason]], "account").contradictions == 1
            assert reasons_check.count([[{**reason, "effect": -0.06}]], "account").contradictions == 0

    def test_nothing_published_is_a_users_mistake(self, tmp_path: Path) -> None:
        done = CliRunner().invoke(app, ["reasons-check", "--scores", str(tmp_path)])
        assert done.exit_code != 0
        assert "manifest" in str(done.exception) or "published" in str(done.exception)
