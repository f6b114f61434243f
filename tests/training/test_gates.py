"""A good model passes every gate; each kind of bad one is refused by the gate that is there for it."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest

from features.audit.finding import Finding
from models.definition import Gates
from training import gates, metrics
from training.gates import Judged, check, perfect_band, selection_rates
from training.metrics import Ranking, point

N = 4000


LEAK = Finding(
    "copy_of_outcome", "high", ("closed_by",), "alone it ranks the outcome with an AUC of 1.000", "leave it out"
)


@functools.cache
def good(seed: int = 0) -> Judged:
    """A calibrated, ranking model over two regions, a little better than its rule."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-2, 1.2, N)
    p = 1 / (1 + np.exp(-z))
    y = (rng.random(N) < p).astype(float)
    group = np.arange(N) // 2
    north = rng.random(N) < 0.4
    rule = z + rng.normal(0, 1.5, N)
    masks = {"region = north": north, "region = south": ~north}
    return Judged(
        y=y,
        p=p,
        group=group,
        metrics=metrics.judge(y, p, group, 0.1),
        fitted_positives=900,
        fitted_negatives=7000,
        held_back_auc=metrics.Estimate(0.8, 0.78, 0.82),
        rule="s, highest first",
        rule_auc=metrics.auc(y, rule),
        over_rule=metrics.auc_difference(y, p, rule, group),
        over_champion=None,
        no_champion="no champion",
        level_shift=0.0,
        segments=masks,
        findings=(),
        selection=selection_rates(masks, p, group, 0.1, 200),
    )


def refused(seen: Judged, wanted: Gates | None = None) -> list[str]:
    return [gate.name for gate in check(wanted or Gates(), seen) if not gate.passed]


def scores(n: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(y, p) with many ties."""
    rng = np.random.default_rng(seed)
    p = np.round(rng.beta(1, 4, n), 2).clip(0.01, 0.99)
    return (rng.random(n) < p).astype(float), p


class TestManySegments:
    def test_a_perfect_model_is_not_refused_for_having_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """In these three draws of six one of twenty segments lies beyond its 95 % band, by luck alone."""

        def refusals() -> int:
            found = 0
            for seed in (0, 4, 5):
                seen = replace(good(seed), group=np.arange(N))  # its rows are independent
                place = np.random.default_rng(seed + 100).integers(0, 20, N)
                many = {f"industry = {n}": place == n for n in range(20)}
                strict = Gates(min_segment_rows=100, max_segment_error=0.0)
                found += "calibration in segments" in refused(replace(seen, segments=many), strict)
            return found

        assert refusals() == 0
        # The sabotaged twin: each segment held to the band of a single one.
        monkeypatch.setattr(gates, "LUCK", 20 * gates.LUCK)
        assert refusals() == 3


class TestEachGateIsThereForOneThing:
    def test_a_good_model_passes_all(self) -> None:
        assert refused(good()) == []

    def test_too_few_labels(self) -> None:
        assert refused(replace(good(), fitted_positives=39)) == ["enough labels"]

    def test_a_poisoned_challenger_is_worse_than_the_champion(self) -> None:
        seen = good()
        worse = seen.p * np.exp(np.random.default_rng(1).normal(0, 0.8, N))
        over = metrics.auc_difference(seen.y, worse, seen.p, seen.group)
        assert refused(replace(seen, over_champion=over)) == ["not worse than the champion"]

    def test_no_worse_beyond_noise_passes(self) -> None:
        seen = good()
        twin = seen.p * np.exp(np.random.default_rng(1).normal(0, 0.01, N))
        over = metrics.auc_difference(seen.y, twin, seen.p, seen.group)
        assert refused(replace(seen, over_champion=over)) == []

    def test_overconfidence_is_refused(self) -> None:
        seen = good()
        wild = 1 / (1 + np.exp(-3 * np.log(seen.p / (1 - seen.p))))
        assert refused(replace(seen, p=wild)) == ["calibration", "calibration in segments"]

    def test_overconfidence_about_a_rare_outcome(self) -> None:
        """At a rate of 0.03 an error of 0.02 is within every absolute limit, and half of all that there is to know."""
        rng = np.random.default_rng(4)
        z = rng.normal(-4, 1.0, 20_000)
        y = (rng.random(20_000) < 1 / (1 + np.exp(-z))).astype(float)
        wild = 1 / (1 + np.exp(-(1.6 * (z + 4) - 4.1)))
        seen = replace(good(), y=y, p=wild, group=np.arange(20_000), segments={})
        assert refused(seen) == ["calibration"]
        assert refused(seen, Gates(max_calibration_share=1.0)) == [], (
            "the twin with the absolute limit alone lets it pass"
        )

    def test_one_segment_that_is_wrong_though_all_together_are_right(self) -> None:
        seen = good()
        north = seen.segments["region = north"]
        assert np.isclose(north.mean(), 0.4, atol=0.03)
        tilted = np.where(north, np.minimum(seen.p + 0.15, 1), np.maximum(seen.p - 0.1, 0))
        names = refused(replace(seen, p=tilted), Gates(max_calibration_error=0.5, max_calibration_share=1.0))
        assert names == ["calibration in segments"]

    def test_a_jump_of_the_base_rate(self) -> None:
        assert refused(replace(good(), level_shift=0.6)) == ["drift"]

    def test_a_model_without_signal_is_refused(self) -> None:
        seen = good()
        noise = np.random.default_rng(2).permutation(seen.p)
        judged = metrics.judge(seen.y, noise, seen.group, 0.1)
        assert "signal" in refused(replace(seen, metrics=judged))

    @pytest.mark.parametrize("rule_auc", [0.6, 0.7, 0.827, 0.95])
    def test_a_rule_that_is_as_good(self, rule_auc: float) -> None:
        """Whatever the rule reaches: of +0.003 (-0.006 to +0.011) over 0.827 nobody can tell that it is more than noise."""
        seen = replace(good(), over_rule=metrics.Estimate(0.003, -0.006, 0.011), rule_auc=rule_auc)
        assert refused(seen) == ["better than one column"]
        assert refused(seen, Gates(beat_rule=False)) == [], "the twin without the gate lets it pass"


class TestAudit:
    def test_a_proof_is_refused_until_somebody_answers_for_it(self) -> None:
        leaking = replace(good(), findings=(LEAK,))
        assert refused(leaking) == ["audit"]
        answered = Gates(
            accepted_findings={"closed_by": "it is filled in when the lead is made: asked sales on 2026-01-07"}
        )
        assert refused(leaking, answered) == []
        audit = next(gate for gate in check(answered, leaking) if gate.name == "audit")
        assert "asked sales" in audit.found, "the reason is on record"

    def test_a_heuristic_of_high_severity_blocks_as_a_proof_does(self) -> None:
        good_alone = Finding("too_good", "high", ("age",), "alone it ranks the outcome with an AUC of 0.93", "find out")
        assert refused(replace(good(), findings=(good_alone,))) == ["audit"]
        final = Finding(
            "ended_from_the_start", "high", ("opportunities.status",), "900 of 1,000", "write dated changes"
        )
        assert refused(replace(good(), findings=(final,))) == ["audit"]


class TestFourFifths:
    def seen(self, factor: float) -> Judged:
        seen = good()
        north = seen.segments["region = north"]
        p = np.where(north, seen.p * factor, seen.p)
        return replace(seen, selection=selection_rates(seen.segments, p, seen.group, 0.1, 200))

    def test_a_group_that_is_passed_over(self) -> None:
        assert refused(self.seen(0.6)) == ["four fifths"]

    def test_a_written_reason_is_recorded_and_lets_it_pass(self) -> None:
        for key in ("region", "region = north"):
            gates = Gates(selection_reasons={key: "the product is not sold there yet"})
            assert refused(self.seen(0.6), gates) == []
            found = next(gate for gate in check(gates, self.seen(0.6)) if gate.name == "four fifths").found
            assert "not sold there yet" in found

    def test_the_ratio_is_that_of_the_rates(self) -> None:
        p = np.r_[np.ones(100), np.zeros(300)]
        mask = np.r_[np.ones(40, bool), np.zeros(200, bool), np.ones(160, bool)]
        # Of 400 the best 100 are chosen: 40 of the group's 200, 60 of the others' 200.
        (rate,) = selection_rates({"g": mask}, p, np.arange(400), 0.25, 100)
        assert (rate["selected"], rate["others"]) == pytest.approx((0.2, 0.3))
        assert rate["ratio"] == pytest.approx(2 / 3)


class TestPerfectBand:
    def test_a_calibrated_model_is_inside_and_a_biased_one_is_not(self) -> None:
        y, p = scores(3000)
        group = np.arange(3000)
        band = perfect_band(p, group)
        assert point(Ranking(y, p).calibration_error, 3000) < band
        biased = np.clip(p * 1.3, 0, 0.99)
        assert point(Ranking(y, biased).calibration_error, 3000) > perfect_band(biased, group)
