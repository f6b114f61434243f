"""From a learnt model to its scorer directory."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.definition import Model
from models.scorer.artefact_schema import VerdictSpec
from models.scorer.scorer import Scorer
from models.scorer.writer import LinearPart, Origin, Reference, write_scorer
from training.dataset import Rows
from training.evaluation import Judgement
from training.learn import Learnt
from training.verdicts import Verdict, words_of


def write(
    directory: Path,
    definition: Model,
    learnt: Learnt,
    population: np.ndarray,
    origin: Origin,
    metrics: dict[str, object],
    verdict: VerdictSpec | None = None,
) -> Scorer:
    """Write the scorer of a learnt model; `population` is the encoded reference population (m, k).

    Its scores are checked against the model in memory: the two are computed by different code.
    """
    model = learnt.model
    rows: Rows = learnt.rows
    fitted = rows.take(np.arange(len(rows)) if not learnt.split.in_time else learnt.split.before_test)
    part = None
    if model.linear is not None:
        shapes = model.linear.shapes
        part = LinearPart(
            [s.knots for s in shapes], [s.values for s in shapes], [s.missing for s in shapes], model.linear.bias
        )
    scorer = write_scorer(
        directory,
        definition=definition,
        signals=rows.signals,
        vocabularies=rows.vocabularies,
        reference=Reference(fitted.x, fitted.y, population),
        linear=part,
        boosters=[b.model_to_string() for b in model.bag],
        tree_share=model.recipe.tree_share,
        slope=model.calibration.slope,
        level=model.calibration.level,
        origin=origin,
        metrics=metrics,
        verdict=verdict,
    )
    sample = fitted.x[:2_000]
    distance = float(np.abs(scorer.log_odds(sample) - model.log_odds(sample)).max(initial=0.0))
    if distance > 1e-9:
        raise RuntimeError(f"the written scorer differs from the fitted model by {distance:.3g} in log-odds")
    return scorer


def kept_verdict(judgement: Judgement, if_no_overlap: bool = False) -> VerdictSpec:
    """The verdict of the gates, as the scorer keeps it.

    `if_no_overlap`: nothing is known of how long the outcome takes, so that the best verdict has a condition.
    """
    verdict, says = judgement.verdict, judgement.words
    if judgement.passed and if_no_overlap:
        verdict, says = Verdict.READY_IF_NO_OVERLAP, words_of(Verdict.READY_IF_NO_OVERLAP, "")
    failed = [gate for gate in judgement.gates if not gate.passed]
    return VerdictSpec(
        code=verdict.value,
        says=says,
        ready=judgement.passed,
        why=[f"{gate.name}: {gate.found} (needed: {gate.needed})" for gate in failed],
    )
