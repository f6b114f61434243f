"""The words by which lists find an entity: those of its name and domain, and the values of its segment columns.

One row of `profile_terms` per (entity, term). A list looks a rare word up there; without it a search that matches 20 of
1,000,000 leads would read all of them. Terms are derived from the profile, so that they can be deleted with it without
an index of their own: whoever changes `terms_of` rebuilds the table in a migration.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, select

from serving.store.tables import profile_terms, profiles
from serving.store.text import kept

LONGEST = 200
"""Most characters of a term. The rest of a longer word or value is not compared."""
BETWEEN = "\x1f"
"""Between a segment column and its value: the unit separator of ASCII, which is in no name."""
_EDGE = re.compile(r"^\W+|\W+$")
_INSIDE = re.compile(r"\W+")


def words(text: str | None) -> list[str]:
    """The words of a text as a search compares them: without case, each part of a compound as well.

    >>> words("Müller-Lüdenscheid (GmbH)"), words("acme-tools.com"), words(None)
    (['müller-lüdenscheid', 'lüdenscheid', 'gmbh'], ['acme-tools.com', 'tools', 'com'], [])
    """
    found: dict[str, None] = {}
    for raw in kept(text or "").casefold().split():
        whole = _EDGE.sub("", raw)
        # The first part is a prefix of the whole, and is found by it.
        for word in (whole, *_INSIDE.split(whole)[1:]):
            if word:
                found[word[:LONGEST]] = None
    return list(found)


def search_text(name: str | None, domain: str | None) -> str:
    """The words in one text, each after a space: a word begins with `w` exactly when the text contains `" " + w`.

    >>> search_text("Acme Robotics", "acme.com")
    ' acme robotics acme.com'
    """
    found = dict.fromkeys([*words(name), *_of_domain(domain)])
    return "".join(f" {word}" for word in found)


def word_term(word: str) -> str:
    """The term of a word in `profile_terms`."""
    return f"w:{word}"


def segment_term(column: str, value: str) -> str:
    """The term of a segment column's value.

    >>> segment_term("industry", "Software")
    's:industry\\x1fSoftware'
    """
    return f"s:{kept(column)}{BETWEEN}{kept(value)[:LONGEST]}"


def terms_of(name: str | None, domain: str | None, segments: Mapping[str, str]) -> set[str]:
    """All terms of one entity."""
    found = {word_term(word) for word in (*words(name), *_of_domain(domain))}
    return found | {segment_term(column, value) for column, value in segments.items()}


def _of_domain(domain: str | None) -> list[str]:
    """Without the top-level domain: every second entity would be found by it."""
    return words(domain)[: -1 if "." in (domain or "").strip(".") else None]


def terms_of_row(row: Mapping[str, Any]) -> set[str]:
    """The same of a row of `profiles`."""
    return terms_of(row["name"], row["domain"], msgspec.json.decode(row["segments"]))


def forget(connection: Connection, entity: str, ids: Sequence[str]) -> int:
    """Delete the terms of some entities; called before their profiles are deleted. Returns how many."""
    query = select(profiles).where(profiles.c.entity == entity, profiles.c.entity_id.in_(ids))
    rows = [dict(row) for row in connection.execute(query).mappings()]
    return delete_terms(connection, entity, ((row["entity_id"], terms_of_row(row)) for row in rows))


def add_terms(connection: Connection, rows: Sequence[tuple[str, str, str]]) -> None:
    """Add (entity, term, entity id); those that are there already stay."""
    if not rows:
        return
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    # Executed by the driver: a chunk of the first night has tens of thousands.
    connection.exec_driver_sql(
        f"INSERT INTO {profile_terms.name} (entity, term, entity_id) VALUES ({mark}, {mark}, {mark}) ON CONFLICT DO NOTHING",
        list(rows),
    )


def delete_terms(connection: Connection, entity: str, terms: Iterable[tuple[str, Iterable[str]]]) -> int:
    """Delete terms by entity id."""
    done = 0
    for entity_id, own in terms:
        for part in _parts(sorted(own)):
            done += connection.execute(
                delete(profile_terms).where(
                    profile_terms.c.entity == entity,
                    profile_terms.c.term.in_(part),
                    profile_terms.c.entity_id == entity_id,
                )
            ).rowcount
    return done


def _parts(items: Sequence[str], size: int = 400) -> Iterable[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
