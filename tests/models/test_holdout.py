"""The holdout is a fixed lot: about the share asked for, the same for ever, and growing without losing anybody."""

from __future__ import annotations

import numpy as np
import pytest

from models.holdout import held_out

NAMES = [f"acc_{i}" for i in range(20_000)]
FIXED = ["acc_3", "acc_20", "acc_23", "acc_30", "acc_36"]


def test_a_larger_share_keeps_everybody_of_a_smaller_one() -> None:
    tenth, fifth = (held_out("churn-risk", NAMES, share) for share in (0.1, 0.2))
    # Standard deviation of the share of 20,000 at 0.1: 0.0021.
    assert tenth.mean() == pytest.approx(0.1, abs=0.01)
    assert fifth.mean() == pytest.approx(0.2, abs=0.012)
    assert fifth[tenth].all()


def test_a_fixed_member_so_that_no_release_changes_the_lot() -> None:
    assert [NAMES[i] for i in np.flatnonzero(held_out("churn-risk", NAMES[:40], 0.1))] == FIXED


def test_two_models_have_different_holdouts() -> None:
    one, other = (held_out(model, NAMES, 0.5) for model in ("churn-risk", "lead-fit"))
    assert np.mean(one == other) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_outside_0_to_1_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"is not in 0\.\.1"):
        held_out("churn-risk", ["a"], share)
