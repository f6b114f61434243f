"""A scorer that its gates refused says so: in a mark on every row, and in a refusal where it is to be used."""

from __future__ import annotations

import pytest

from models.scorer.artefact_schema import VerdictSpec
from models.scorer.verdict import NEVER_JUDGED, NotForUse, mark, refused, require_not_refused
from tests.kit.signal_specs import scorer_spec

READY = VerdictSpec(code="ready", says="ready", ready=True)
REFUSED = VerdictSpec(code="no_signal", says="no signal found", ready=False, why=["signal: AUC 0.51", "audit: a copy"])


def test_one_whose_gates_held_is_used_without_a_mark() -> None:
    spec = scorer_spec(verdict=READY)
    assert (mark(spec), refused(spec)) == (None, False)
    require_not_refused(spec, "version 1")


def test_one_that_was_never_judged_is_marked_and_not_refused() -> None:
    """Scorers of format 1 keep no verdict: they went live through their gates."""
    spec = scorer_spec(format=1)
    assert (mark(spec), refused(spec)) == (NEVER_JUDGED, False)
    require_not_refused(spec, "version 1")


def test_a_refused_one_says_why_and_what_to_do() -> None:
    spec = scorer_spec(verdict=REFUSED)
    assert (mark(spec), refused(spec)) == ("no signal found", True)
    with pytest.raises(NotForUse) as told:
        require_not_refused(spec, "version 7 of churn-risk", "train again")
    assert str(told.value) == (
        "version 7 of churn-risk is not for use, its verdict is 'no signal found'\n  - signal: AUC 0.51\n  - audit: a copy\n"
        "Rule: a scorer is used when all its gates held. Next: train again"
    )
    assert told.value.exit_code == 3
