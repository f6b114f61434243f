"""What is said of a learnt model: no signal in noise, a rule that is enough, and the gate that each bad model fails."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.audit.finding import Finding
from models.definition import Gates
from tests.kit.rows import QUICK, dated_rows, in_time, make_rows
from training.calibrate import sigmoid
from training.evaluation import Rival, findings, judge
from training.fit_table import table_definition
from training.learn import Learnt, learn
from training.splits import split_without_time
from training.verdicts import Verdict


class TestNoSignal:
    @pytest.mark.parametrize("seed", [1, 2])
    def test_noise_gets_no_signal_found(self, seed: int) -> None:
        rows = dated_rows(1500, seed=seed, signal=0.0)
        found = learn(rows, in_time(rows), QUICK)
        judgement = judge(table_definition("y", "lead"), rows, found)
        assert judgement.verdict is Verdict.NO_SIGNAL
        assert not judgement.passed

    def test_a_signal_passes(self, learnt: Learnt) -> None:
        judgement = judge(table_definition("y", "lead"), learnt.rows, learnt)
        assert judgement.verdict is Verdict.READY
        assert judgement.passed, [g for g in judgement.gates if not g.passed]


class TestOneColumn:
    """Data in which one column says all that there is to know."""

    @pytest.mark.parametrize("dated", [True, False])
    def test_the_verdict_names_the_rule(self, dated: bool) -> None:
        rng = np.random.default_rng(4)
        x = rng.normal(size=(2500, 4))
        rows = make_rows(x, (rng.random(2500) < sigmoid(-1 - 1.4 * x[:, 1])).astype(float))
        rows = replace(rows, time=np.arange(2500, dtype=np.int64) if dated else None)
        split = in_time(rows) if dated else split_without_time(rows.y, rows.group)
        learnt = learn(rows, split, QUICK)
        judgement = judge(table_definition("y", "lead"), rows, learnt)
        name = rows.signals[1].name
        assert judgement.verdict is Verdict.RULE_IS_ENOUGH
        assert judgement.words == f"a single rule is enough: {name}, lowest first"
        rule = judgement.figures["one_column_rule"]
        assert rule["auc"] > 0.75  # type: ignore[index]  # strong rules were let pass when the model was merely better
        assert judgement.figures["beside"]["rule"]["auc"]["value"] == pytest.approx(rule["auc"], abs=1e-6)  # type: ignore[index]
        # The sabotaged twin: without the gate it would go live.
        lenient = replace(table_definition("y", "lead"), gates=Gates(beat_rule=False))
        assert judge(lenient, rows, learnt).verdict is Verdict.READY

    def test_a_leak_is_no_rule(self) -> None:
        """A column that knows the outcome cannot be beaten, and is no rule that anybody could follow."""
        rows = dated_rows(1500)
        x = rows.x.copy()
        x[:, 3] = rows.y
        leaking = replace(rows, x=x)
        judgement = judge(table_definition("y", "lead"), leaking, learn(leaking, in_time(leaking), QUICK))
        assert judgement.verdict is Verdict.REFUSED


class TestGates:
    def test_a_jump_of_the_base_rate_is_refused_by_the_drift_gate(self) -> None:
        rows = dated_rows(shift=1.5)
        judgement = judge(table_definition("y", "lead"), rows, learn(rows, in_time(rows), QUICK))
        assert not next(g for g in judgement.gates if g.name == "drift").passed

    def test_an_uncalibrated_model_is_refused_by_the_calibration_gate(self, learnt: Learnt) -> None:
        wild = replace(learnt, judged_log_odds=3 * learnt.judged_log_odds)
        refused = [g.name for g in judge(table_definition("y", "lead"), learnt.rows, wild).gates if not g.passed]
        assert "calibration" in refused
        assert "signal" not in refused, "it still ranks"

    def test_a_worse_challenger_is_refused_by_the_champion(self, learnt: Learnt) -> None:
        noise = np.random.default_rng(0).normal(0, 3, len(learnt.judged))
        poisoned = replace(learnt, judged_log_odds=learnt.judged_log_odds + noise)
        judgement = judge(table_definition("y", "lead"), learnt.rows, poisoned, Rival(learnt.judged_log_odds, 1))
        assert "not worse than the champion" in [g.name for g in judgement.gates if not g.passed]

    def test_a_leak_is_refused_by_the_audit(self) -> None:
        rows = dated_rows(1500)
        x = rows.x.copy()
        x[:, 3] = np.where(rows.y == 1, 7.0, np.nan)
        assert findings(replace(rows, x=x))
        assert findings(rows) == ()

    def test_a_grave_finding_about_the_source_is_refused(self, learnt: Learnt) -> None:
        grave = Finding(
            "ended_from_the_start", "high", ("opportunities.status",), "900 of 1,000", "write dated changes"
        )
        definition = table_definition("y", "lead")
        assert judge(definition, learnt.rows, learnt, grave=[grave]).verdict is Verdict.REFUSED
        assert judge(definition, learnt.rows, learnt).verdict is Verdict.READY, "the twin without it"

    def test_one_very_strong_column_is_said_alike_by_the_rule_and_the_audit(self) -> None:
        """It may be honest or a leak, which no figure can tell: one column does it all, and whether it is known is to be asked."""
        rng = np.random.default_rng(0)
        x = rng.normal(size=(2000, 3))
        y = (rng.random(2000) < sigmoid(5 * x[:, 0] - 1)).astype(float)
        rows = replace(make_rows(x, y, None), time=np.arange(2000, dtype=np.int64))
        learnt = learn(rows, in_time(rows), QUICK)
        judgement = judge(table_definition("y", "lead"), rows, learnt)
        assert {"audit", "better than one column"} <= {g.name for g in judgement.gates if not g.passed}
        assert judgement.verdict is Verdict.RULE_IS_ENOUGH
        assert "make sure that s0 is known before the outcome" in judgement.words
        known = table_definition("y", "lead", columns=("s0", "s1", "s2"), known_before=("s0",))
        told = judge(known, rows, learnt)
        assert [g.name for g in told.gates if not g.passed] == ["better than one column"]
        assert told.words.startswith("a single rule is enough: s0")
        assert "make sure" not in told.words
        for judged, accepted in ((judgement, None), (told, "known before the outcome, as --known-before says")):
            finding = judged.figures["audit_findings"][0]  # type: ignore[index]
            assert (finding["columns"], finding["accepted"]) == (["s0"], accepted)
        proof = Finding("copy_of_outcome", "high", ("s0",), "the outcome in other words", "leave it out")
        assert judge(table_definition("y", "lead"), rows, learnt, grave=[proof]).verdict is Verdict.REFUSED

    def test_names_count_for_a_flat_table_as_in_its_audit(self) -> None:
        """By values alone it is ordinary; a name that speaks of the end makes it a leak."""
        rows = dated_rows(1500)
        named = replace(rows, signals=(*rows.signals[:3], replace(rows.signals[3], name="days_to_close")))
        x = rows.x.copy()
        x[:, 3] = np.random.default_rng(1).normal(size=1500) + 0.5 * rows.y
        assert findings(replace(named, x=x), label="won")
        assert findings(replace(rows, x=x), label="won") == ()
        assert findings(replace(named, x=x)) == (), (
            "signals of a source are proved as of their time, whatever they are called"
        )
