"""Whether a scorer is for use: what its gates said when it was judged, kept in the scorer itself.

A scorer that was refused says so wherever it is used: it is never put live, the API and the batch do not take it, a flat
file is scored with it only on demand, and MLflow's doors and such a file mark every row.
"""

from __future__ import annotations

from features.kit.errors import Refused
from models.scorer.artefact_schema import ScorerSpec

READY = "ready"
MARK = "verdict"
"""The column that marks rows scored by a scorer whose gates do not vouch for it."""
NEVER_JUDGED = "never judged"
"""What a scorer without a verdict is: one of format 1, or one that was written without being judged."""


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
