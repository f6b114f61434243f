"""One line of the report of `python -m features check`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["blocks", "weakens", "info"]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One finding; `rows` is None where no rows are counted."""

    severity: Severity
    table: str
    column: str
    rows: int | None
    rule: str
    found: str
    needed: str
    what_to_do: str
    model: str = ""
    """The model (or the outcome, by its name) whose line it is; "" for the source itself."""
    gate: bool = False
    """Whether a version can be trained, and its gates would keep it from going live."""

    @property
    def said_rule(self) -> str:
        """The rule with the model that it concerns: "churn-risk, to go live: rows with the outcome"."""
        whose = f"{self.model}, to go live" if self.gate else self.model
        return f"{whose}: {self.rule}" if whose else self.rule

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "rule": self.said_rule}
