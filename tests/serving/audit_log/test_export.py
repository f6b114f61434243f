"""The audit log for people and other systems."""

from __future__ import annotations

import csv
import io
import json

import pytest

from serving.audit_log import repository
from serving.audit_log.chain import Head
from serving.audit_log.entry import Entry, command
from serving.audit_log.export import COLUMNS, write
from serving.store.connect import Store
from serving.store.deletions import stored_hash_of_id
from tests.kit.audited import JANE, entry, put


def exported(store: Store, *, as_csv: bool = False) -> tuple[str, Head]:
    to = io.StringIO()
    with store.read() as connection:
        head = write(repository.rows(connection), to, csv=as_csv)
    return to.getvalue(), head


@pytest.mark.both_databases
def test_each_row_is_a_line_of_json_without_its_salts(store: Store) -> None:
    head = put(store, entry(), Entry(command("retention"), "retention", "store", None), at=1_000_000)
    text, last = exported(store)
    first, second = map(json.loads, text.splitlines())
    assert list(first) == list(COLUMNS)
    expected = {
        "seq": 1,
        "at": "1970-01-01T00:00:01Z",
        "actor_kind": "person",
        "actor_id": "oidc:jane",
        "actor_name": "Jane Doe",
        "action": "override",
        "object_kind": "account",
        "object_id": "acme",
        "before": None,
        "after": {"band": "low", "reason": "They signed."},
        "redacted": [],
    }
    assert {name: first[name] for name in expected} == expected
    assert (second["action"], second["object_id"]) == ("retention", None)
    assert last == head == Head(2, second["hash"])
    assert "salt" not in text


def test_what_was_taken_out_is_said(store: Store) -> None:
    put(store, entry())
    with store.write() as connection:
        repository.redact_subjects(connection, [stored_hash_of_id("account", "acme")])
    line = json.loads(exported(store)[0])
    assert (line["redacted"], line["object_id"], line["after"]) == (["details"], None, None)
    assert line["actor_name"] == "Jane Doe"


def test_csv_is_safe_to_open_in_a_spreadsheet(store: Store) -> None:
    put(store, Entry(JANE, "override", "account", "=1+1", None, {"reason": "=1+1"}), entry('a,b\n"c'))
    text, _ = exported(store, as_csv=True)
    head, first, second = csv.reader(io.StringIO(text))
    assert tuple(head) == COLUMNS
    assert first[COLUMNS.index("object_id")] == "'=1+1"
    assert first[COLUMNS.index("before")] == ""
    assert json.loads(first[COLUMNS.index("after")]) == {"reason": "=1+1"}
    assert second[COLUMNS.index("object_id")] == 'a,b\n"c'
