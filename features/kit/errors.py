"""Base classes of all errors. The class says whether it is a user's mistake or a fault of ours, and the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class AccountscoreError(Exception):
    """Raised when something of ours failed; a command ends with exit code 1."""

    exit_code = 1


class UserMistake(AccountscoreError):
    """Raised when input breaks a stated rule; the message names the value, the rule and the next step (exit code 2)."""

    exit_code = 2


class Refused(UserMistake):
    """Raised when a model is to go live or to be used although its gates refused it (exit code 3)."""

    exit_code = 3


class MissingExtra(UserMistake):
    """Raised when an optional dependency is needed and not installed."""

    def __init__(self, extra: str, needed_for: str) -> None:
        super().__init__(f"{needed_for} needs the extra '{extra}': pip install 'accountscore[{extra}]'")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault of an input, in the parts that a person needs to mend it."""

    where: str
    """File, table, column or record, as precise as it is known."""
    found: str
    """The offending value or state; never a whole row."""
    rule: str
    next_step: str
    excerpt: str = ""
    """The lines of a text around the fault, with a caret under the place; not part of the sentence."""
    count: int = 1
    """How many faults it stands for; not part of the sentence."""

    def __str__(self) -> str:
        return f"{self.where}: {self.found}. Rule: {self.rule}. Next: {self.next_step}."


class BadInput(UserMistake):
    """Raised with all faults of an input at once, so that they can be mended in one go."""

    def __init__(self, subject: str, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        count = f"{len(self.faults)} fault" + ("s" if len(self.faults) != 1 else "")
        super().__init__(
            f"{subject}: {count}\n"
            + "\n".join("\n".join((f"  - {fault}", *_indented(fault.excerpt))) for fault in self.faults)
        )

    def excerpt_lines(self) -> frozenset[str]:
        """The lines of the message that must not be wrapped, because a caret stands under its place."""
        return frozenset(line for fault in self.faults for line in _indented(fault.excerpt))


def _indented(excerpt: str) -> list[str]:
    return [f"      {line}" for line in excerpt.splitlines()]


class TrainingRefused(BadInput):
    """Raised when the data cannot make a model that could be judged; holds the faults of the first rule that does not hold."""
