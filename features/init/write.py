"""Writes the folder of a source: one SELECT per table, `_left_out.sql` with what they drop, and `DECISIONS.md`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from features.init.layouts import layout_of
from features.init.render import Rendered, render
from features.init.template import decisions, used, with_readings
from features.init.times import Order
from features.kit.atomic_files import writing_folder
from features.kit.errors import BadInput, Fault, UserMistake
from features.kit.writable import require_writable
from features.sources.schema import ENTITIES

LEFT_OUT = "_left_out.sql"


@dataclass
class Written:
    """What was written, for the report."""

    folder: Path
    tables: dict[str, str] = field(default_factory=dict)
    decisions: list[tuple[str, str]] = field(default_factory=list)
    """File and decision."""
    notes: list[str] = field(default_factory=list)
    untried: list[str] = field(default_factory=list)


def write_source(folder: Path, labels: Sequence[str], data: Path | None, zone: str, order: Order | None) -> Written:
    """Write a source for these systems into a new folder. Nothing is written unless all of it is.

    Raises `UserMistake` when the folder is there and not empty, and for an unknown template; `BadInput` with every file that cannot be
    read, when no file gives accounts or leads, and with every table that two systems give.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserMistake(
            f"{str(folder)!r} is there and not empty: name a new folder, or delete it if nothing in it is yours"
        )
    require_writable(folder, "name another place")
    layouts = [layout_of(label) for label in dict.fromkeys(labels)]
    systems = [each.system for each in layouts]
    if len(set(systems)) < len(systems):
        raise UserMistake(f"--from names {', '.join(labels)}: each system once, in one layout")
    rendered = [render(layout, data, zone, order) for layout in layouts]
    faults = [fault for each in rendered for fault in each.faults]
    if faults:
        raise BadInput(f"files in {str(data)!r}", faults)
    _require_entity(rendered, data)
    _require_one_of_each(rendered)
    written = Written(folder)
    with writing_folder(folder) as partial:
        for each in rendered:
            for table, text in each.tables.items():
                head = f"-- {table} from {each.layout.title}.\n" + (
                    ""
                    if each.layout.tried_on
                    else "-- Not tried on real rows: the columns are those of the vendor's documents.\n"
                )
                whole = f"{head}-- Columns: {each.layout.documents}\n{text}"
                (partial / f"{table}.sql").write_text(whole, encoding="utf-8")
                written.tables[table] = whole
                written.decisions += [(f"{table}.sql", said) for said in decisions(whole)]
            written.decisions += [("files", said) for said in each.decisions]
            written.notes += each.notes
            if not each.layout.tried_on:
                written.untried.append(each.layout.label)
        left_out = _left_out(rendered)
        if left_out:
            (partial / LEFT_OUT).write_text(left_out, encoding="utf-8")
    return written


def _require_entity(rendered: Sequence[Rendered], data: Path | None) -> None:
    if any(table in each.tables for each in rendered for table in ENTITIES.values()):
        return
    notes = [note for each in rendered for note in each.notes]
    names = ", ".join(file.stems[0] for each in rendered for file in each.layout.files.values())
    faults = [
        Fault(
            where=str(data),
            found="no file that gives accounts or leads" + (": " + "; ".join(notes) if notes else ""),
            rule=f"{', '.join(each.layout.label for each in rendered)} reads {names}",
            next_step="give the folder with these files as --data, or another layout as --from",
        )
    ]
    raise BadInput("nothing was written", faults)


def _require_one_of_each(rendered: Sequence[Rendered]) -> None:
    """Systems that give the same table need a decision about which rows are the same, which nobody has taken yet."""
    given: dict[str, list[str]] = {}
    for each in rendered:
        for table in each.tables:
            given.setdefault(table, []).append(each.layout.label)
    faults = [
        Fault(
            where=f"{table}.sql",
            found=f"{' and '.join(labels)} give this table",
            rule="one system gives a table: how records of two belong together is not decided by a template",
            next_step=f"write each system into a folder of its own, then join the SELECTs of {table} in one file",
        )
        for table, labels in given.items()
        if len(labels) > 1
    ]
    if faults:
        raise BadInput("nothing was written", faults)


def _left_out(rendered: Sequence[Rendered]) -> str:
    """One SELECT that counts the rows which the others drop: table, reason, next_step, rows."""
    wholes = []
    for each in rendered:
        named = {name for out in each.left_out for name in used(f"FROM {out.rows}", each.readings)}
        selects = [
            f'SELECT {_text(out.table)} AS "table", {_text(out.why)} AS reason, {_text(out.next_step)} AS next_step, count(*) AS rows\nFROM {out.rows}'
            for out in each.left_out
        ]
        readings = {name: sql for name, sql in each.readings.items() if name in named}
        wholes.append(with_readings("\nUNION ALL\n".join(selects), readings))
    if not any(wholes):
        return ""
    head = "-- The rows that the SELECTs beside this one leave out, and why: `python -m features check` counts them.\n"
    return (
        head
        + (wholes[0] if len(wholes) == 1 else "\nUNION ALL\n".join(f"(\n{whole}\n)" for whole in wholes if whole))
        + "\n"
    )


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
