"""Renders the SELECTs of one system: templates filled with what its files have."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from features.init.files import Folder, Found, find_files, here
from features.init.layouts import Layout, LayoutFile
from features.init.opening import Header, Opened, reading
from features.init.template import Filled, LeftOut, fill, used, with_readings, words_in
from features.init.times import Order
from features.init.values import Reading, missing, read_columns, rows_of, trimmed, usual
from features.kit.errors import Fault
from features.sources.casts import ADDED, quote, slug_of
from features.sources.schema import TABLES

WIDTH = 136
OWN_MOST = 40
"""Most columns of one's own in a table; more would be fields that a system adds to every object."""
OWN_FILLED = 0.02
"""Share of rows with a value below which a column of one's own is left out."""
OWN_WORDS, OWN_DISTINCT = 50, 0.5
"""A column of one's own with more different words, in more than this share of its rows, holds names or texts, and is left out."""
WORDS_SHOWN = 8
_PLACEHOLDER = re.compile(r"\{\{(words|own|count|first) ([^}]+)\}\}")


def usual_source(layout: Layout, file: LayoutFile) -> str:
    """SQL of a file's rows under its usual name: what is written without a look at the files."""
    if not layout.is_json:
        call = f"read_csv('${{data}}/{file.stems[0]}.csv', all_varchar = true, header = true, sample_size = -1)"
        return f"(SELECT nullif(trim(COLUMNS(*)), '') FROM {call})"
    parent, _, path = file.inside.partition(".")
    stem = layout.files[parent].stems[0] if parent else file.stems[0]
    headers = [Header(column.spellings[0], "VARCHAR") for column in file.columns.values()]
    return reading([Opened(Path(stem), (), "read_json_objects", inside=path)], [f"'${{data}}/{stem}.json'"], headers)


@dataclass
class Rendered:
    """What a system gives: a SELECT per table, and what a person should know."""

    layout: Layout
    tables: dict[str, str] = field(default_factory=dict)
    readings: dict[str, str] = field(default_factory=dict)
    """SQL of each file with all of its columns."""
    left_out: list[LeftOut] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    """Defaults of how files are read, beside those in the SELECTs."""
    rows: dict[str, int] = field(default_factory=dict)


def render(layout: Layout, data: Path | None, zone: str = "UTC", order: Order | None = None) -> Rendered:
    """The SELECTs of a layout for the files in `data`; with the usual names and forms where no folder is given.

    `zone` is that of times without one, `order` that of days and months where no value tells it.
    """
    out = Rendered(layout)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    folder = Folder(Path()) if data is None else find_files(connection, layout, data)
    out.faults += folder.faults
    if folder.faults:
        return out
    readings: dict[str, Reading] = {}
    for name, file in layout.files.items():
        if data is None:
            readings[name] = Reading({n: usual(c, zone) for n, c in file.columns.items()})
        elif name in folder.files:
            readings[name] = read_columns(connection, folder.files[name], folder, zone, order)
            out.decisions += readings[name].decisions
            out.notes += readings[name].remarks
            _note_older(out, folder.files[name])
    naive = [f"{folder.files[n].shown}: {', '.join(r.naive)}" for n, r in readings.items() if r.naive]
    if naive and zone == "UTC" and not layout.is_utc:
        out.decisions.append(
            f"times without a zone ({'; '.join(naive)}) are read as UTC. They are local times of whoever exported them: up to 14 hours off, and "
            "so possibly seen too early. --time-zone Europe/Berlin reads them as local times of a place."
        )
    out.notes += [str(fault) for fault in folder.left]
    renderer = _Renderer(connection, layout, folder, readings, data)
    for table, template in layout.tables.items():
        filled = fill(table, template, renderer.has)
        lacking = [name for name in filled.needs if name not in readings]
        if lacking:
            names = ", ".join(layout.files[name].stems[0] for name in lacking)
            out.notes.append(f"no {table}: {names} is not there")
            continue
        if filled.unmet:
            out.notes.append(f"no {table}: your files have none of the columns {filled.unmet}")
            continue
        filled.text = renderer.placeholders(filled.text)
        out.tables[table] = renderer.complete(filled)
        out.left_out += [*filled.left_out, *renderer.without_key(filled)]
    for name in layout.files:
        out.readings[name] = renderer.reading(name, words_in(" ".join(f"FROM {each.rows}" for each in out.left_out)))
    return out


def _note_older(out: Rendered, found: Found) -> None:
    if found.older:
        older = ", ".join(path.name for path in found.older)
        out.decisions.append(
            f"{found.shown} is the newest export of its records; {older} is not read. What was in it and is not any more is gone: the past "
            "is only seen in copies that are kept as versions."
        )


class _Renderer:
    """Fills the templates of one layout."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        layout: Layout,
        folder: Folder,
        readings: dict[str, Reading],
        data: Path | None,
    ) -> None:
        self.connection, self.layout, self.folder, self.readings, self.data = connection, layout, folder, readings, data
        self.own_columns: dict[str, list[tuple[str, str]]] = {}

    def has(self, what: str) -> bool:
        name, _, column = what.partition(".")
        file = self.layout.files.get(name)
        if file is None or (column and column not in file.columns):
            raise ValueError(f"{self.layout.label}: no file or column {what!r} in layout.toml")
        held = self.readings.get(name)
        return held is not None and (not column or held.columns[column].header is not None)

    def placeholders(self, text: str) -> str:
        lines = []
        for line in text.splitlines():
            found = _PLACEHOLDER.search(line)
            if found and found[1] == "own":
                indent = line[: len(line) - len(line.lstrip())]
                lines += [f"{indent}{slug}," for slug, _ in self.own(found[2].strip())]
            else:
                lines.append(_PLACEHOLDER.sub(lambda match: self.said(match[1], match[2].strip()), line))
        return re.sub(r",(\s*\n\s*)(?=FROM\b)", r"\1", "\n".join(lines)) + "\n"

    def said(self, kind: str, what: str) -> str:
        """The text of a placeholder within a comment."""
        if self.data is None:
            return {"words": "your words", "first": "the day of its first row"}.get(kind, "some")
        if kind == "count":
            rows = self.ask(f"SELECT count(*) FROM {what}", what)
            return f"{rows[0][0]:,}"
        name, _, column = what.partition(".")
        if kind == "first":
            day = self.ask(f"SELECT CAST(min({column}) AS VARCHAR)[:10] FROM {name}", what)[0][0]
            return str(day or "no day: it is empty")
        rows = self.ask(
            f"SELECT {column}, count(*) FROM {name} WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1", what
        )
        shown = ", ".join(f"{_one_line(word)!r} ({count:,})" for word, count in rows[:WORDS_SHOWN])
        return (shown or "none") + (f" and {len(rows) - WORDS_SHOWN:,} more" if len(rows) > WORDS_SHOWN else "")

    def ask(self, select: str, what: str) -> list[tuple[object, ...]]:
        files = used(select, self.layout.files)
        sql = with_readings(select, {name: self.reading(name, words_in(what)) for name in files})
        return self.connection.execute(here(sql, self.folder)).fetchall()

    def complete(self, filled: Filled) -> str:
        """A SELECT with its head, its files, and its comments wrapped."""
        words = words_in(filled.text)
        files = used(filled.text, self.layout.files)
        body = with_readings(filled.text, {name: self.reading(name, words) for name in files})
        return _wrapped(body)

    def reading(self, name: str, words: frozenset[str] | None) -> str:
        """The SELECT that reads a file: the columns among `words` under the names of the layout."""
        file = self.layout.files[name]
        held = self.readings.get(name)
        columns = (held.columns if held else {n: missing(c) for n, c in file.columns.items()}).values()
        wanted = [c for c in columns if words is None or c.name in words or c.name in file.needs]
        items = [f"{c.sql} AS {c.name}" for c in wanted]
        items += [f"{sql} AS {slug}" for slug, sql in self.own_columns.get(name, []) if words is None or slug in words]
        lines = ",\n".join(f"        {item}" for item in items)
        if held is None:
            return f"    -- no {file.stems[0]} among your files\n    SELECT\n{lines}\n    WHERE false"
        source = trimmed(self.folder.files[name]) if name in self.folder.files else usual_source(self.layout, file)
        text = f"    SELECT\n{lines}\n    FROM {source}"
        given = {c.name: c.sql for c in wanted}
        needed = " AND ".join(f"{given[n]} IS NOT NULL" for n in file.needs)
        return text + (f"\n    WHERE {needed}" if needed else "") + self.once(name, given)

    def once(self, name: str, given: Mapping[str, str]) -> str:
        """One row per key, where the file has rows of one key more than once."""
        file = self.layout.files[name]
        if file.key is None or name not in self.folder.files or not self.repeated(name):
            return ""
        newest = next((f"{given[c]} DESC NULLS LAST, " for c in ("modified",) if c in given), "")
        return (
            f"\n    QUALIFY row_number() OVER (PARTITION BY {given[file.key]} ORDER BY {newest}{given[file.key]}) = 1"
        )

    def repeated(self, name: str) -> int:
        found = self.folder.files[name]
        key = self.readings[name].columns[str(found.file.key)].sql
        sql = f"SELECT count({key}) - count(DISTINCT {key}) FROM {rows_of(found, self.folder)}"
        return int(self.connection.execute(sql).fetchall()[0][0])

    def without_key(self, filled: Filled) -> list[LeftOut]:
        """Rows of a table's own files that lack a value which each row needs, and copies of a row."""
        found = []
        for name in filled.needs:
            if name not in self.folder.files:
                continue
            file, held = self.layout.files[name], self.readings[name]
            source = trimmed(self.folder.files[name])
            for needed in file.needs:
                header = held.columns[needed].header
                found.append(
                    LeftOut(
                        filled.table,
                        f"{self.folder.files[name].shown}: no {header}",
                        "correct them in the system, or nothing if they are totals of a report",
                        f"{source} WHERE {held.columns[needed].sql} IS NULL",
                    )
                )
            if file.key is not None and self.repeated(name):
                key = held.columns[file.key].sql
                found.append(
                    LeftOut(
                        filled.table,
                        f"{self.folder.files[name].shown}: further rows of one {held.columns[file.key].header}",
                        "export each record once",
                        f"(SELECT 1 FROM {source} WHERE {key} IS NOT NULL QUALIFY row_number() OVER (PARTITION BY {key}) > 1)",
                    )
                )
        return found

    def own(self, name: str) -> list[tuple[str, str]]:
        """Columns of one's own: name and SQL. A multi-select becomes its choices in order, joined by semicolons."""
        if name in self.own_columns or name not in self.folder.files:
            return self.own_columns.get(name, [])
        found = self.folder.files[name]
        source = rows_of(found, self.folder)
        taken = {c.name for t in TABLES.values() for c in t.columns} | {*ADDED, "known_time", *found.file.columns}
        kept: list[tuple[str, str]] = []
        for header in found.own:
            text = f"CAST({quote(header.written)} AS VARCHAR)" if header.native != "VARCHAR" else quote(header.written)
            rows, filled, distinct, numbers, several, parts = self.connection.execute(
                f"SELECT count(*), count(v), count(DISTINCT v), count(TRY_CAST(v AS DOUBLE)), count(*) FILTER (WHERE regexp_matches(v, ';[^ ]')), "
                f"(SELECT count(DISTINCT p) FROM (SELECT unnest(string_split({text}, ';')) AS p FROM {source})) "
                f"FROM (SELECT {text} AS v FROM {source})"
            ).fetchall()[0]
            is_name = distinct > max(OWN_WORDS, OWN_DISTINCT * filled) and numbers < filled
            if not filled or filled < OWN_FILLED * rows or is_name or len(kept) >= OWN_MOST:
                continue
            slug = slug_of(header.written)
            while slug in taken:
                slug += "_own"
            taken.add(slug)
            multi = several > 0 and parts < max(distinct, 30)
            kept.append(
                (
                    slug,
                    f"array_to_string(list_sort(list_distinct(string_split({text}, ';'))), ';')"
                    if multi
                    else _typed(header.native, quote(header.written), text),
                )
            )
        self.own_columns[name] = kept
        return kept


def _typed(native: str, held: str, text: str) -> str:
    return text if native == "VARCHAR" else held


def _one_line(word: object) -> str:
    return re.sub(r"\s+", " ", str(word))[:60]


def _wrapped(text: str) -> str:
    """Comments at the head wrapped; a decision goes on in lines that are indented by three."""
    blocks: list[str] = []
    rest: list[str] = []
    for line in text.splitlines():
        if rest or not line.startswith("--"):
            rest.append(line.rstrip())
        elif line.startswith("--   ") and blocks:
            blocks[-1] += " " + line[2:].strip()
        else:
            blocks.append(line)
    lines = []
    for block in blocks:
        more = "--   " if block.startswith("-- DECIDE:") else "-- "
        lines += textwrap.wrap(block, WIDTH, subsequent_indent=more, break_long_words=False, break_on_hyphens=False)
    return "\n".join([*lines, *rest]) + "\n"
