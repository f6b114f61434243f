"""One line of the report of `python -m features check`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["blocks", "weakens", "info"]


@dataclass(frozen=True)
class Line:
    """One thing that was checked and is worth telling; `rows` is None where no rows are counted."""

    severity: Severity
    table: str
    column: str
    rows: int | None
    rule: str
    found: str
    needed: str
    what_to_do: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
