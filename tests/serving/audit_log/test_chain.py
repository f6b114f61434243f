"""What was done to a log is found, and each check is one without which it would not be."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from serving.audit_log import chain
from serving.audit_log.chain import Head, Ranges, Verdict, row_of, verify
from serving.audit_log.entry import Command, Entry
from serving.store.deletions import stored_hash_of_id
from tests.kit.audited import JANE, entry

Rows = list[dict[str, Any]]


def log(count: int = 6) -> Rows:
    rows: Rows = []
    head = Head()
    for number in range(count):
        rows.append(row_of(entry(f"a{number}"), number, head))
        head = Head(rows[-1]["seq"], rows[-1]["hash"])
    return rows


def head_of(rows: Rows) -> Head:
    return Head(rows[-1]["seq"], rows[-1]["hash"])


def found(rows: Rows, *heads: Head) -> Verdict:
    return verify(rows, [("the home", head) for head in heads])


def anew(rows: Rows) -> Rows:
    """The hashes of all rows, made again by somebody who knows how."""
    before = Head()
    for row in rows:
        row["hash"] = chain.hash_of(row, before.hash)
        before = Head(row["seq"], row["hash"])
    return rows


def change(row: dict[str, Any], part: str, **changes: Any) -> None:
    """The content of a part, as somebody writes it who cannot make its hash again."""
    row[part] = msgspec.json.encode(json.loads(row[part]) | changes)


def altered(rows: Rows) -> None:
    rows[2]["action"] = "objection"


def time_altered(rows: Rows) -> None:
    rows[2]["at"] += 1


def altered_with_its_own_hash(rows: Rows) -> None:
    rows[2]["action"] = "objection"
    rows[2]["hash"] = chain.hash_of(rows[2], rows[1]["hash"])


def deleted(rows: Rows) -> None:
    del rows[2]


def first_deleted(rows: Rows) -> None:
    del rows[0]


def deleted_and_numbered_anew(rows: Rows) -> None:
    del rows[2]
    for number, row in enumerate(rows, 1):
        row["seq"] = number


def moved(rows: Rows) -> None:
    rows[2], rows[3] = rows[3], rows[2]
    rows[2]["seq"], rows[3]["seq"] = 3, 4


def put_between(rows: Rows) -> None:
    rows.insert(3, row_of(entry("x"), 1, Head(3, rows[2]["hash"])))
    for number, row in enumerate(rows, 1):
        row["seq"] = number


def repeated(rows: Rows) -> None:
    rows.append({**rows[2], "seq": 7})


def details_altered(rows: Rows) -> None:
    change(rows[2], "details", after={"band": "high"})


def actor_altered(rows: Rows) -> None:
    change(rows[2], "actor", name="John Roe")


def subject_altered(rows: Rows) -> None:
    rows[2]["subject"] = stored_hash_of_id("account", "somebody-else")


def subject_deleted(rows: Rows) -> None:
    rows[2]["subject"] = None


def details_deleted(rows: Rows) -> None:
    rows[2] |= {"details": None, "subject": None}


def actor_deleted(rows: Rows) -> None:
    rows[2]["actor"] = None


def end_deleted(rows: Rows) -> None:
    del rows[4:]


def all_deleted(rows: Rows) -> None:
    rows.clear()


def written_anew(rows: Rows) -> None:
    rows[5]["action"] = "objection"
    anew(rows)


PLACE, CONTENT, NAMED, HEAD = "place", "content", "named", "head"
DONE: dict[Callable[[Rows], None], tuple[str, str]] = {
    altered: (PLACE, "row 3 was altered or moved"),
    time_altered: (PLACE, "row 3 was altered or moved"),
    altered_with_its_own_hash: (PLACE, "row 4 was altered or moved, or the row before it was"),
    deleted: (PLACE, "row 3 is missing"),
    first_deleted: (PLACE, "row 1 is missing"),
    deleted_and_numbered_anew: (PLACE, "row 3 was altered or moved"),
    moved: (PLACE, "row 3 was altered or moved"),
    put_between: (PLACE, "row 5 was altered or moved"),
    repeated: (PLACE, "row 7 was altered or moved"),
    details_altered: (CONTENT, "the details of row 3 was altered"),
    actor_altered: (CONTENT, "the actor of row 3 was altered"),
    subject_altered: (CONTENT, "the subject of row 3 was altered: an erasure would not find the row"),
    subject_deleted: (CONTENT, "the subject of row 3 was altered"),
    details_deleted: (NAMED, "the details of row 3 was deleted, and no erasure or retention run says so"),
    actor_deleted: (NAMED, "the actor of row 3 was deleted, and no erasure or retention run says so"),
    end_deleted: (HEAD, "the log ends at row 4 and the home knows of row 6: the newest rows were deleted"),
    all_deleted: (HEAD, "the log ends at row 0 and the home knows of row 6"),
    written_anew: (HEAD, "row 6 is not the one that the home knows: the log was written anew"),
}
"""What somebody does to six rows -> the check that finds it, and what is said."""


def test_a_log_is_intact() -> None:
    rows = log()
    verdict = found(rows, head_of(rows), head_of(rows[:3]), Head())
    assert (verdict.intact, verdict.rows, verdict.redacted, verdict.head) == (True, 6, 0, head_of(rows))
    assert found([]).intact


@pytest.mark.parametrize("doing", DONE, ids=lambda doing: doing.__name__)
class TestTampering:
    def test_it_is_found(self, doing: Callable[[Rows], None]) -> None:
        rows = log()
        head = head_of(rows)
        doing(rows)
        verdict = found(rows, head)
        assert not verdict.intact
        assert DONE[doing][1] in verdict.faults[0]

    def test_without_its_check_it_is_not(self, doing: Callable[[Rows], None], monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin."""
        rows = log()
        heads = [head_of(rows)]
        doing(rows)
        check, _ = DONE[doing]
        if check == PLACE:
            monkeypatch.setattr(chain, "place_fault", lambda row, before: None)
            # These change the head too, which is another check's business.
            heads = []
        elif check == CONTENT:
            monkeypatch.setattr(chain, "content_fault", lambda row: None)
        elif check == NAMED:
            monkeypatch.setattr(Ranges, "without", lambda self, other: iter(()))
        else:
            heads = []
        assert found(rows, *heads).intact


class TestRedaction:
    def redacted(self, action: str, ranges: dict[str, Any]) -> Rows:
        rows = log()
        details_deleted(rows)
        actor_deleted(rows)
        after = {"redacted": ranges}
        who = Command("privacy erase", "root")
        rows.append(row_of(Entry(who, action, "account", None, None, after), 9, head_of(rows)))
        return rows

    def test_what_an_erasure_or_a_retention_run_names_is_counted_and_is_no_fault(self) -> None:
        for action in ("erasure", "retention"):
            verdict = found(self.redacted(action, {"details": [[3, 3]], "actor": [[2, 4]]}))
            assert (verdict.intact, verdict.redacted) == (True, 1), verdict

    def test_what_another_row_names_is_a_fault(self) -> None:
        assert not found(self.redacted("override", {"details": [[3, 3]], "actor": [[3, 3]]})).intact

    def test_naming_the_details_excuses_no_missing_actor(self) -> None:
        verdict = found(self.redacted("erasure", {"details": [[3, 3]]}))
        assert verdict.faults == ["the actor of row 3 was deleted, and no erasure or retention run says so"]

    def test_a_row_of_an_erasure_that_was_altered_excuses_nothing(self) -> None:
        rows = self.redacted("erasure", {"actor": [[3, 3]]})
        change(rows[6], "details", after={"redacted": {"details": [[3, 3]], "actor": [[3, 3]]}})
        assert len(found(rows).faults) == 3

    def test_what_says_that_others_were_redacted_must_not_be(self) -> None:
        rows = self.redacted("erasure", {"details": [[3, 7]], "actor": [[3, 3]]})
        rows[6]["details"] = None
        assert not found(rows).intact


class TestLoss:
    def test_a_head_that_a_restore_gave_up_is_said_and_is_no_fault(self) -> None:
        rows = log()
        head = head_of(rows)
        del rows[4:]
        after = {"given_up": [str(head)]}
        rows.append(row_of(Entry(Command("restore", "root"), "restore", "store", None, None, after), 9, head_of(rows)))
        verdict = found(rows, head)
        assert verdict.intact
        assert verdict.losses == ["row 5 (restore): the log goes on from row 4, it once ended at row 6"]
        assert not found(rows, Head(6, "0" * 64)).intact  # of another log
        rows[4]["action"] = "export"
        assert not found(anew(rows), head).intact  # no other row may say so


class TestRow:
    def test_what_is_personal_is_in_two_columns_alone(self) -> None:
        row = row_of(entry("acme-4711", reason="Jane said so"), 1, Head())
        rest = {name: value for name, value in row.items() if name not in ("actor", "details")}
        for text in ("acme-4711", "Jane", "oidc", "low"):
            assert text not in repr(rest)
        assert row["subject"] == stored_hash_of_id("account", "acme-4711")

    def test_the_same_content_has_another_hash_each_time(self) -> None:
        """Else who knows the names of a company could find out by trying which of them a redacted row was about."""
        one, two = (row_of(entry(), 1, Head()) for _ in range(2))
        assert one["details_sha256"] != two["details_sha256"]
        assert one["actor_sha256"] != two["actor_sha256"]

    def test_a_text_that_no_store_keeps_is_hashed_as_it_is_kept(self) -> None:
        for name in ("a\x00b", "a\udcffb"):
            row = row_of(entry(name, reason=name), 1, Head())
            assert row["subject"] == stored_hash_of_id("account", name)
            assert found([row]).intact

    def test_what_cannot_be_erased_has_no_subject(self) -> None:
        assert row_of(Entry(JANE, "key_created", "key", "a1"), 1, Head())["subject"] is None


def test_many_faults_are_counted() -> None:
    rows = log(40)
    for row in rows:
        row["at"] = 99
    verdict = found(rows)
    assert len(verdict.faults) + verdict.more_faults == 40
    assert verdict.more_faults == 20
