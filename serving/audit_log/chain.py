"""The hash chain of the audit log: how a row is hashed, and what a reader finds who follows the chain.

    actor_sha256   = SHA-256 of the actor's bytes (id, name and a random salt)
    details_sha256 = SHA-256 of the details' bytes (object id, before, after and a random salt)
    hash           = SHA-256 of the hash before it, seq, at, kind of actor, action, kind of object, event, and those two

What is personal is in the actor and the details alone. The chain goes over their hashes, so that retention and erasure
can delete the bytes and the chain still holds; without the salt nobody can guess from the hash what was there. An
erasure and a retention run are rows themselves and name the rows whose bytes they took: bytes that are missing and that
no row names were deleted by somebody else.

What this finds: a row that was altered, deleted, put in between or moved; details that were deleted without an erasure;
and, by the head that the home keeps (`serving.audit_log.head`), rows deleted from the end and a log that was written
anew. What it cannot find: somebody who may write both the store and the home can write both anew. Keep the head that
`python -m serving audit export` prints in a third place, and give it to `audit verify --head`.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from serving.audit_log.entry import NEVER_REDACTED, PEOPLE, Entry
from serving.store.deletions import stored_hash_of_id
from serving.store.text import kept

FORMAT = 1
START = "0" * 64
"""The hash before the first row."""
SALT_BYTES = 16
Row = Mapping[str, Any]
"""One row of the table `audit_log`."""


@dataclass(frozen=True)
class Head:
    """The newest row: two logs with the same head are the same."""

    seq: int = 0
    hash: str = START

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


def row_of(entry: Entry, at_us: int, before: Head, event: str | None = None) -> dict[str, Any]:
    """The row that follows `before`. `event` is the id of an event of the spool, which is taken in once."""
    name = None if entry.object_id is None else kept(entry.object_id)
    actor = _sealed({"id": entry.actor.id, "name": entry.actor.name})
    details = _sealed({"object": name, "before": entry.before, "after": entry.after})
    row: dict[str, Any] = {
        "seq": before.seq + 1,
        "at": at_us,
        "actor_kind": entry.actor.kind,
        "action": entry.action,
        "object_kind": entry.object_kind,
        "event": event,
        "actor": actor,
        "actor_sha256": _sha256(actor),
        "details": details,
        "details_sha256": _sha256(details),
        "subject": subject_of(entry.object_kind, name),
    }
    return {**row, "hash": hash_of(row, before.hash)}


def subject_of(object_kind: str, object_id: str | None) -> str | None:
    """By which an erasure finds the rows about somebody; None for what cannot be erased."""
    return stored_hash_of_id(object_kind, object_id) if object_kind in PEOPLE and object_id is not None else None


def hash_of(row: Row, hash_before: str) -> str:
    """The hash of a row, which the next row is hashed with."""
    columns = ("seq", "at", "actor_kind", "action", "object_kind", "event", "actor_sha256", "details_sha256")
    return _sha256(msgspec.json.encode([FORMAT, hash_before, *(row[name] for name in columns)]))


def read_json(sealed: bytes | None) -> dict[str, Any]:
    """The actor or the details of a row, without the salt; empty when they were taken out."""
    if sealed is None:
        return {}
    found: dict[str, Any] = json.loads(sealed)
    return {name: value for name, value in found.items() if name != "salt"}


def _sealed(content: dict[str, Any]) -> bytes:
    content = {**content, "salt": secrets.token_hex(SALT_BYTES)}
    try:
        return msgspec.json.encode(content)
    except UnicodeEncodeError:  # half a surrogate pair, from a command line that is not UTF-8
        return json.dumps(content).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# Following the chain

MOST_FAULTS = 20
"""Faults that are told one by one; the rest is counted."""


@dataclass
class Verdict:
    """What was found in a log."""

    rows: int = 0
    redacted: int = 0
    """Rows whose actor or details a retention run or an erasure took out."""
    head: Head = field(default_factory=Head)
    faults: list[str] = field(default_factory=list)
    """At most `MOST_FAULTS`."""
    more_faults: int = 0
    losses: list[str] = field(default_factory=list)
    """Restores and accepted losses: the log goes on, and rows that once were in it are not."""
    complete: bool = True
    """False: it was stopped before the newest row. Then what is missing was not judged, and `intact` is of the rows looked at."""

    @property
    def intact(self) -> bool:
        return not self.faults

    def add(self, fault: str) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(fault)
        else:
            self.more_faults += 1


def verify(
    rows: Iterable[Row], known: Iterable[tuple[str, Head]] = (), stop: Callable[[], bool] | None = None
) -> Verdict:
    """Follow the chain over all rows, in the order of `seq`. One row is in memory at a time.

    `known` are heads that the log had at some time, each with the name of where it was kept: each must be in the log,
    or be one that a restore names as given up. `stop` is asked before each row: true ends it there, incomplete.
    """
    verdict = Verdict()
    wanted = {head.seq: "" for _, head in known}
    missing: dict[str, Ranges] = {"actor": Ranges(), "details": Ranges()}
    named: dict[str, Ranges] = {"actor": Ranges(), "details": Ranges()}
    given_up: set[str] = set()
    for row in rows:
        if stop is not None and stop():
            verdict.complete = False
            return verdict
        _follow(row, verdict)
        seq = verdict.head.seq
        if seq in wanted:
            wanted[seq] = row["hash"]
        verdict.redacted += row["actor"] is None or row["details"] is None
        for part, ranges in missing.items():
            if row[part] is None:
                ranges.add(seq)
        if row["action"] in NEVER_REDACTED:
            _read_exceptions(row, verdict, named, given_up)
    for part, ranges in missing.items():
        for first, last in ranges.without(named[part]):
            what = f"the {part} of row {first}" if first == last else f"the {part} of rows {first} to {last}"
            verdict.add(f"{what} was deleted, and no erasure or retention run says so")
    for where, head in known:
        if head.seq == 0 or wanted[head.seq] == head.hash or str(head) in given_up:
            continue
        if verdict.head.seq < head.seq:
            verdict.add(
                f"the log ends at row {verdict.head.seq} and {where} knows of row {head.seq}: the newest rows were "
                "deleted, or the store was replaced by an older copy (python -m serving restore puts a backup back; python -m "
                "serving audit accept-loss goes on without them)"
            )
        else:
            verdict.add(f"row {head.seq} is not the one that {where} knows: the log was written anew")
    return verdict


def _follow(row: Row, verdict: Verdict) -> None:
    for fault in (place_fault(row, verdict.head), content_fault(row)):
        if fault is not None:
            verdict.add(fault)
    verdict.rows += 1
    verdict.head = Head(row["seq"], row["hash"])


def place_fault(row: Row, before: Head) -> str | None:
    """Why a row does not follow the one before it; None when it does."""
    seq, expected = row["seq"], before.seq + 1
    if seq != expected:
        return f"row {expected} is missing" if seq == expected + 1 else f"rows {expected} to {seq - 1} are missing"
    if hash_of(row, before.hash) != row["hash"]:
        return f"row {seq} was altered or moved, or the row before it was"
    return None


def content_fault(row: Row) -> str | None:
    """Which part of a row is not what was written; None when all are that is still there."""
    for part in ("actor", "details"):
        if row[part] is not None and _sha256(bytes(row[part])) != row[f"{part}_sha256"]:
            return f"the {part} of row {row['seq']} was altered"
    object_id = read_json(row["details"]).get("object")
    if row["details"] is not None and row["subject"] != subject_of(row["object_kind"], object_id):
        return f"the subject of row {row['seq']} was altered: an erasure would not find the row"
    return None


def _read_exceptions(row: Row, verdict: Verdict, named: dict[str, Ranges], given_up: set[str]) -> None:
    """Takes in what a row says of others: whose personal data was taken out, and which heads were given up."""
    if content_fault(row) is not None:
        return
    after = read_json(row["details"]).get("after") or {}
    for part, ranges in (after.get("redacted") or {}).items():
        for first, last in ranges:
            named[part].add(first, last)
    if after.get("given_up"):
        given_up.update(after["given_up"])
        seqs = ", ".join(sorted({head.partition(":")[0] for head in after["given_up"]}, key=int))
        verdict.losses.append(
            f"row {row['seq']} ({row['action']}): the log goes on from row {row['seq'] - 1}, it once ended at row {seqs}"
        )


class Ranges:
    """Whole numbers, kept as ranges: a retention run names a million rows in a few bytes.

    >>> some = Ranges([[1, 3], [7, 7]])
    >>> some.add(4)
    >>> some.pairs(), list(some.without(Ranges([[2, 2], [7, 9]])))
    ([[1, 4], [7, 7]], [(1, 1), (3, 4)])
    """

    def __init__(self, pairs: Iterable[Iterable[int]] = ()) -> None:
        self._pairs: list[tuple[int, int]] = [(first, last) for first, last in pairs]

    def add(self, first: int, last: int | None = None) -> None:
        last = first if last is None else last
        if self._pairs and self._pairs[-1][1] + 1 == first:
            self._pairs[-1] = (self._pairs[-1][0], last)
        else:
            self._pairs.append((first, last))

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self._joined())

    def pairs(self) -> list[list[int]]:
        return [list(pair) for pair in self._joined()]

    def without(self, other: Ranges) -> Iterator[tuple[int, int]]:
        """The ranges of numbers that are here and not there."""
        there, place = other._joined(), 0
        for first, last in self._joined():
            while place < len(there) and there[place][1] < first:
                place += 1
            at, begin = place, first
            while begin <= last:
                if at == len(there) or there[at][0] > last:
                    yield begin, last
                    break
                if there[at][0] > begin:
                    yield begin, there[at][0] - 1
                begin, at = there[at][1] + 1, at + 1

    def _joined(self) -> list[tuple[int, int]]:
        joined: list[tuple[int, int]] = []
        for first, last in sorted(self._pairs):
            if joined and first <= joined[-1][1] + 1:
                joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
            else:
                joined.append((first, last))
        return joined
