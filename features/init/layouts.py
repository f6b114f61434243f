"""The templates: which files and columns a system has in a layout, read from `features/sources/templates/<system>/<layout>/`.

`layout.toml` lists each file with the names that it comes under, and each column with its type and its spellings. `<table>.sql` is the
SELECT of a canonical table over these files and columns (`features.init.render`).
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from features.kit.errors import UserMistake

TEMPLATES = Path(__file__).parents[1] / "sources" / "templates"

ColumnType = Literal["id", "text", "list", "json", "domain", "boolean", "integer", "number", "money", "time", "end"]
"""`list` is a multi-select, `json` the text of a JSON value. `time` reads a day as its first moment, `end` as the first moment after it: what ended on a day is
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
    id_starts: str = ""
    """How every key begins: Salesforce's accounts with 001. A file of an unknown name is of this kind only when its keys do."""
    inside: str = ""
    """`subscription.items.data`: in JSON the rows are this list within the objects of another file."""
    prefix: str = ""
    """What stands before the names of properties: HubSpot's tables have `property_createdate`."""


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
    is_utc: bool
    """Whether times without a zone are in UTC: a warehouse writes them so."""
    by_name: bool
    """Whether files are known by their names alone: tables of a warehouse always have theirs."""
    is_json: bool
    """Whether its files are objects of an API as JSON."""
    files: dict[str, LayoutFile]
    folders: tuple[Path, ...]
    """The folder, and after it that of the layout which it extends: a template of the first replaces one of the second."""

    @property
    def label(self) -> str:
        """The text of `--from`: `salesforce:export`."""
        return f"{self.system}:{self.name}"

    @property
    def tables(self) -> dict[str, str]:
        """The text of each template by its canonical table."""
        paths = {path.stem: path for folder in reversed(self.folders) for path in folder.glob("*.sql")}
        return {table: paths[table].read_text(encoding="utf-8") for table in sorted(paths)}


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
    """The layout that a folder describes. With `extends` it has the files and templates of another layout of the system, too; a file
    with `like` has the columns of another file beside its own."""
    told = tomllib.loads((folder / "layout.toml").read_text(encoding="utf-8"))
    base = read_layout(folder.parent / told["extends"]) if "extends" in told else None
    files = dict(base.files) if base else {}
    prefix = told.get("prefix", "")
    for name, each in told.get("files", {}).items():
        like = files.get(each.get("like", name))
        files[name] = _file(name, each, like)
    files = {name: replace(file, prefix=prefix) for name, file in files.items()}
    return Layout(
        system=folder.parent.name,
        name=folder.name,
        title=told["title"],
        tried_on=told.get("tried_on"),
        documents=told["documents"],
        history=told.get("history", ""),
        is_utc=told.get("is_utc", False),
        by_name=told.get("by_name", False),
        is_json=told.get("is_json", False),
        files=files,
        folders=(folder, *(base.folders if base else ())),
    )


def _file(name: str, told: dict[str, Any], like: LayoutFile | None) -> LayoutFile:
    columns = dict(like.columns) if like else {}
    for column, (kind, *spellings) in told.get("columns", {}).items():
        if kind not in get_args(ColumnType):
            raise ValueError(f"{name}.{column}: no type {kind!r}; one of {', '.join(get_args(ColumnType))}")
        columns[column] = FileColumn(column, kind, tuple(spellings))
    unread = set(told.get("without", ()))
    return LayoutFile(
        name=name,
        stems=tuple(told.get("stems", like.stems if like else ())),
        columns={n: column for n, column in columns.items() if n not in unread},
        needs=tuple(told.get("needs", like.needs if like else ())),
        key=told.get("key", like.key if like and name == like.name else None),
        ignored=tuple(told.get("ignored", like.ignored if like else ())),
        id_starts=told.get("id_starts", ""),
        inside=told.get("inside", ""),
    )


def plain(text: str) -> str:
    """A name by its letters and digits alone, in lower case: how headers and file names are compared.

    >>> plain("Company Domain Name"), plain("Country/Region"), plain("Partners__c")
    ('companydomainname', 'countryregion', 'partnersc')
    """
    return re.sub(r"[\W_]+", "", text.casefold())
