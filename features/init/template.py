"""Fills a template: keeps the lines whose files and columns are there, and puts the reading of each file in front.

A template is the SELECT of a table over files by their names in `layout.toml`. Its directives are comments:

    --! needs a, b               the table is written only where the files a and b are there
    --! only if a.x or a.y       and only where this holds
    --! if a.x, not b            the lines up to `--! else` or `--! end` are kept where file a has the column x and there is no file b
    --! left out: WHY | NEXT | a WHERE ...    rows that the SELECT drops, for `_left_out.sql`, which `check` reads
    ..., --? a.x                 this line alone, on the same condition
    {{words a.x}}                the words of a column with their rows, most frequent first
    {{own a}}                    the columns of a that the layout does not know, one a line
    {{count a WHERE ...}}        a number of rows
    {{first a.x}}                the day of its first time
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

Has = Callable[[str], bool]
"""Whether a file, or a column `file.column`, is there."""

_DIRECTIVE = re.compile(r"^\s*--! ?(.*)$")
_LINE = re.compile(r"^(.*?)\s*--\? ?(.+)$")


@dataclass(frozen=True)
class LeftOut:
    """Rows that a SELECT drops: why, what to do about it, and which."""

    table: str
    why: str
    next_step: str
    rows: str
    """SQL behind FROM."""


@dataclass
class Filled:
    """A template whose conditions were decided."""

    table: str
    text: str
    needs: tuple[str, ...] = ()
    unmet: str = ""
    """The condition of `only if` that does not hold."""
    left_out: list[LeftOut] = field(default_factory=list)


def fill(table: str, template: str, has: Has) -> Filled:
    """Decide the conditions of a template. Raises `ValueError` for a directive that is none."""
    filled = Filled(table, "")
    kept: list[str] = []
    stack: list[bool] = []
    for number, line in enumerate(template.splitlines(), 1):
        directive = _DIRECTIVE.match(line)
        if directive:
            _obey(directive[1].strip(), filled, stack, has, f"{table}.sql, line {number}")
            continue
        if not all(stack):
            continue
        found = _LINE.match(line)
        if found and not _holds(found[2], has):
            continue
        kept.append(found[1] if found else line)
    if stack:
        raise ValueError(f"{table}.sql: --! if without --! end")
    filled.text = _without_comma("\n".join(kept)).strip() + "\n"
    return filled


def _obey(told: str, filled: Filled, stack: list[bool], has: Has, where: str) -> None:
    word, _, rest = told.partition(" ")
    if word == "needs":
        filled.needs = tuple(each.strip() for each in rest.split(","))
    elif told.startswith("only if "):
        filled.unmet = "" if _holds(told.removeprefix("only if "), has) else told.removeprefix("only if ")
    elif word == "if":
        stack.append(_holds(rest, has))
    elif word == "else" and stack:
        stack[-1] = not stack[-1]
    elif word == "end" and stack:
        stack.pop()
    elif told.startswith("left out:"):
        if all(stack):
            why, step, rows = (part.strip() for part in told.removeprefix("left out:").split("|", 2))
            filled.left_out.append(LeftOut(filled.table, why, step, rows))
    else:
        raise ValueError(f"{where}: no directive {told!r}")


def _holds(condition: str, has: Has) -> bool:
    """Whether all parts of a condition hold; a part may be `a or b`, or begin with `not`."""
    return all(
        any(
            not has(one[4:].strip()) if one.startswith("not ") else has(one)
            for one in (o.strip() for o in part.split(" or "))
        )
        for part in (each.strip() for each in condition.split(","))
    )


def _without_comma(text: str) -> str:
    """The text without a comma that stands before FROM because the lines behind it went."""
    return re.sub(r",((?:\s*--[^\n]*)?(?:\s*\n\s*--[^\n]*)*\s*\n\s*)(?=FROM\b)", r"\1", text)


def used(text: str, files: Collection[str]) -> list[str]:
    """The files that a SELECT reads, in the order of `files`."""
    bare = re.sub(r"--[^\n]*", "", text)
    return [name for name in files if re.search(rf"\b(?:FROM|JOIN)\s+{name}\b", bare)]


def words_in(text: str) -> frozenset[str]:
    """Every word of a SELECT, without its comments: a column that is not among them is not read."""
    return frozenset(re.findall(r"\w+", re.sub(r"--[^\n]*", "", text)))


def with_readings(text: str, readings: Mapping[str, str]) -> str:
    """The SELECT with the reading of each file in front, as common table expressions; comments at its head stay there."""
    head, body = _split(text)
    if not readings:
        return text
    listed = ",\n".join(f"{name} AS (\n{sql}\n)" for name, sql in readings.items())
    own = re.match(r"WITH\s+", body)
    return f"{head}WITH {listed}" + (f",\n{body[own.end() :]}" if own else f"\n{body}")


def _split(text: str) -> tuple[str, str]:
    lines = text.splitlines(keepends=True)
    at = next((n for n, line in enumerate(lines) if not line.lstrip().startswith("--") and line.strip()), len(lines))
    return "".join(lines[:at]), "".join(lines[at:])


def decisions(text: str) -> list[str]:
    """The decisions of a SELECT: each `-- DECIDE:` with the lines of comment that follow it, indented by three.

    >>> decisions("-- DECIDE: one\\n--   or two.\\n-- no more\\nSELECT 1")
    ['one or two.']
    """
    found: list[str] = []
    is_open = False
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("-- DECIDE:"):
            found.append(stripped.removeprefix("-- DECIDE:").strip())
            is_open = True
        elif is_open and stripped.startswith("--   "):
            found[-1] += " " + stripped[2:].strip()
        else:
            is_open = False
    return found
