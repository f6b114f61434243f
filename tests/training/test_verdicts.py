"""The verdict that follows from the gates that failed, in one word and in one sentence."""

from __future__ import annotations

import pytest

from training.verdicts import RULE, SIGNAL, Verdict, verdict_of, words_of


class TestVerdictOf:
    @pytest.mark.parametrize(
        ("failed", "rule_ranks", "doubt", "verdict"),
        [
            ([], False, None, Verdict.READY),
            (["calibration"], True, None, Verdict.REFUSED),
            ([SIGNAL], True, None, Verdict.NO_SIGNAL),
            ([SIGNAL, RULE], True, None, Verdict.NO_SIGNAL),  # a rule cannot be enough where nothing ranks
            ([RULE, "calibration"], True, None, Verdict.RULE_IS_ENOUGH),
            ([RULE], False, None, Verdict.REFUSED),  # neither does the rule rank
            ([RULE, "enough labels"], True, None, Verdict.REFUSED),  # no figure is to be believed, the rule's neither
            ([RULE, "audit"], True, "tenure", Verdict.RULE_IS_ENOUGH),
            ([RULE, "audit", "enough labels"], True, "tenure", Verdict.REFUSED),
        ],
    )
    def test_by_the_gates(self, failed: list[str], rule_ranks: bool, doubt: str | None, verdict: Verdict) -> None:
        assert verdict_of(failed, rule_ranks, doubt) is verdict


class TestWordsOf:
    def test_the_rule_is_named_and_its_doubt(self) -> None:
        assert words_of(Verdict.RULE_IS_ENOUGH, "age, lowest first") == "a single rule is enough: age, lowest first"
        assert "make sure that age is known before the outcome" in words_of(Verdict.RULE_IS_ENOUGH, "age", "age")

    def test_every_verdict_reads_differently(self) -> None:
        assert len({words_of(verdict, "age") for verdict in Verdict}) == len(Verdict)
