"""`python -m features check` on a terminal: the verdict, then one paragraph per fault, the worst first, wrapped on words."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol


class Finding(Protocol):
    """The fields of a report line that are printed."""

    @property
    def severity(self) -> str: ...
    @property
    def table(self) -> str: ...
    @property
    def column(self) -> str: ...
    @property
    def rows(self) -> int | None: ...
    @property
    def rule(self) -> str: ...
    @property
    def said_rule(self) -> str: ...
    @property
    def found(self) -> str: ...
    @property
    def needed(self) -> str: ...
    @property
    def what_to_do(self) -> str: ...


def wrapped(text: str, columns: int, indent: str = "  ") -> str:
    """Text broken between words; a word that is longer than a line stays whole."""
    return textwrap.fill(
        " ".join(text.split()), columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def paragraph(line: Finding, columns: int, excerpt: str = "") -> str:
    """One finding: where and what, the place in the SELECT, the rule, the next step."""
    place = " ".join(part for part in (line.table, line.column) if part) or "source"
    counted = "" if line.rows is None else f" ({line.rows:,} row{'' if line.rows == 1 else 's'})"
    parts = [wrapped(f"{line.severity} {place}{counted}: {_sentence(line.found)}", columns)]
    parts += [f"    {each}" for each in excerpt.splitlines()]
    # A fault says its rule and what is needed with one sentence.
    needed = "" if line.rule == line.needed else f" Needed: {_sentence(line.needed)}"
    parts.append(textwrap.indent(wrapped(f"Rule: {_sentence(line.said_rule)}{needed}", columns - 2), "  "))
    if line.what_to_do != "nothing":
        parts.append(textwrap.indent(wrapped(f"Next: {_sentence(line.what_to_do)}", columns - 2), "  "))
    return "\n".join(parts)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def headline(name: str, lines: Sequence[Finding]) -> str:
    """The number of findings that block or weaken.

    >>> headline("sample", [])
    'source sample: nothing to mend'
    """
    counts = [(sum(line.severity == severity for line in lines), word) for severity, word in _GRAVE.items()]
    said = ", ".join(
        f"{n:,} {'thing' if n == 1 else 'things'} that {word if n > 1 else word + 's'}" for n, word in counts if n
    )
    return f"source {name}: {said or 'nothing to mend'}"


_GRAVE = {"blocks": "block", "weakens": "weaken"}


def report(
    name: str,
    lines: Sequence[Finding],
    excerpts: Mapping[Any, str],
    verdicts: Mapping[str, str],
    more: Sequence[str],
    verbose: bool,
    columns: int,
) -> Iterator[str]:
    """Paragraphs, to be printed with a blank line between them.

    `more` are facts about the source, printed with `verbose` only.
    """
    yield wrapped(headline(name, lines), columns)
    shown = [line for line in lines if verbose or line.severity in _GRAVE]
    for line in shown:
        yield paragraph(line, columns, excerpts.get(line, ""))
    if verbose:
        yield "\n".join(wrapped(each, columns) for each in more)
    elif len(lines) > len(shown):
        hidden = len(lines) - len(shown)
        yield wrapped(
            f"{hidden:,} {'thing is' if hidden == 1 else 'things are'} well or worth knowing: add -v", columns
        )
    if verdicts:
        yield "\n".join(wrapped(f"{model}: {said}", columns) for model, said in verdicts.items())
