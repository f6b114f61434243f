"""The verdict of a scorer's gates, kept in the scorer: whether it may be used.

A refused scorer is never put live, and the API and the batch do not load it. `score-table` uses it only with `--anyway`; there
and through MLflow every row is marked.
"""

from __future__ import annotations

from features.kit.errors import Refused
from models.scorer.artefact_schema import ScorerSpec

READY = "ready"
MARK = "verdict"
"""The column that marks rows of a scorer whose gates did not hold, or that was never judged."""
NEVER_JUDGED = "never judged"
"""The mark of a scorer without a verdict: one of format 1, or one that was written without being judged."""


class NotForUse(Refused):
    """Raised when a scorer is to be used that its gates refused."""


def mark(spec: ScorerSpec) -> str | None:
    """What rows scored by it must say; None when its verdict is that it is for use."""
    if spec.verdict is None:
        return NEVER_JUDGED
    return None if spec.verdict.ready else spec.verdict.says


def refused(spec: ScorerSpec) -> bool:
    """Whether it was judged, and refused."""
    return spec.verdict is not None and not spec.verdict.ready


def require_not_refused(
    spec: ScorerSpec, what: str, next_step: str = "mend what the gates name and train again"
) -> None:
    """Raises `NotForUse` for a scorer that was judged and refused; one of format 1, which keeps no verdict, passes.

    Such a one was put live through its gates, by their tag in the registry.
    """
    verdict = spec.verdict
    if verdict is None or not refused(spec):
        return
    raise NotForUse(
        f"{what} is not for use, its verdict is {verdict.says!r}"
        + "".join(f"\n  - {why}" for why in verdict.why)
        + f"\nRule: a scorer is used when all its gates held. Next: {next_step}"
    )
