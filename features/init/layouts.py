"""The templates: which files and columns a system has in a layout, read from `features/sources/templates/<system>/<layout>/`.

`layout.toml` lists each file with the names that it comes under, and each column with its type and its spellings. `<table>.sql` is the
SELECT of a canonical table over these files and columns (`features.init.render`).
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from features.kit.errors import UserMistake

TEMPLATES = Path(__file__).parents[1] / "sources" / "templates"

ColumnType = Literal["id", "text", "list", "domain", "boolean", "integer", "number", "money", "time", "end"]
"""`list` is a multi-select. `time` reads a day as its first moment, `end` as the first moment after it: what ended on a day is
known once the day is over."""


@dataclass(frozen=True)
class FileColumn:
    """A column of a file under the name that the SELECTs use."""

    name: str
    type: ColumnType
    spellings: tuple[str, ...]
    """Headers under which it comes, the usual one first; compared by letters and digits alone."""


@dataclass(frozen=True)
class LayoutFile:
    """A file (or table) of a system under the name that the SELECTs use."""

    name: str
    stems: tuple[str, ...]
    """Names of the file without its ending, the usual one first."""
    columns: dict[str, FileColumn]
    needs: tuple[str, ...]
    """Columns without which the file is of no use; rows without a value in them are left out."""
    key: str | None
    """The column that names a row: two files with the same keys are two exports of the same records."""
    ignored: tuple[str, ...]
    """Patterns of headers that are no columns of one's own: fields of the system that a SELECT has no use for."""


@dataclass(frozen=True)
class Layout:
    """One system in one layout."""

    system: str
    name: str
    title: str
    tried_on: str | None
    """Folder of rows as they really come, below ACCOUNTSCORE_SYSTEMS; None when the template was not tried on any."""
    documents: str
    """Where the vendor describes the columns."""
    history: str
    """What the system offers where this layout has the newest state alone."""
    files: dict[str, LayoutFile]
    folder: Path

    @property
    def label(self) -> str:
        """The text of `--from`: `salesforce:export`."""
        return f"{self.system}:{self.name}"

    @property
    def tables(self) -> dict[str, str]:
        """The text of each template by its canonical table."""
        return {path.stem: path.read_text(encoding="utf-8") for path in sorted(self.folder.glob("*.sql"))}


def labels() -> list[str]:
    """Every template as `--from` takes it."""
    return sorted(f"{path.parent.parent.name}:{path.parent.name}" for path in TEMPLATES.glob("*/*/layout.toml"))


def layout_of(label: str) -> Layout:
    """The layout that `system:layout` names; the system alone is enough where it has one layout.

    Raises `UserMistake` for a system or layout that there is none of.

    >>> layout_of("salesforce:export").files["account"].needs
    ('id', 'created')
    """
    known = labels()
    found = [each for each in known if each == label.strip().lower() or each.split(":")[0] == label.strip().lower()]
    if len(found) != 1:
        what = f"{label!r} has {len(found)} layouts" if found else f"no template {label!r}"
        raise UserMistake(f"{what}: --from takes one of {', '.join(found or known)}")
    system, name = found[0].split(":")
    return read_layout(TEMPLATES / system / name)


def read_layout(folder: Path) -> Layout:
    """The layout that a folder describes."""
    told = tomllib.loads((folder / "layout.toml").read_text(encoding="utf-8"))
    files = {name: _file(name, each) for name, each in told["files"].items()}
    return Layout(
        system=folder.parent.name,
        name=folder.name,
        title=told["title"],
        tried_on=told.get("tried_on"),
        documents=told["documents"],
        history=told.get("history", ""),
        files=files,
        folder=folder,
    )


def _file(name: str, told: dict[str, Any]) -> LayoutFile:
    columns = {}
    for column, (kind, *spellings) in told["columns"].items():
        if kind not in get_args(ColumnType):
            raise ValueError(f"{name}.{column}: no type {kind!r}; one of {', '.join(get_args(ColumnType))}")
        columns[column] = FileColumn(column, kind, tuple(spellings))
    return LayoutFile(
        name=name,
        stems=tuple(told["stems"]),
        columns=columns,
        needs=tuple(told.get("needs", ())),
        key=told.get("key"),
        ignored=tuple(told.get("ignored", ())),
    )


def plain(text: str) -> str:
    """A name by its letters and digits alone, in lower case: how headers and file names are compared.

    >>> plain("Company Domain Name"), plain("Country/Region"), plain("Partners__c")
    ('companydomainname', 'countryregion', 'partnersc')
    """
    return re.sub(r"[\W_]+", "", text.casefold())
