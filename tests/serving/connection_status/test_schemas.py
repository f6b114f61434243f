"""The answer about connections in JSON."""

from __future__ import annotations

import json

import msgspec

from serving.connection_status.schemas import ConnectionsAnswer, LettersShown, QueueShown


def test_nothing_waits_and_nothing_was_given_up() -> None:
    assert json.loads(msgspec.json.encode(QueueShown(0, False, None))) == {
        "waiting": 0,
        "or_more": False,
        "oldest_at": None,
    }
    assert json.loads(msgspec.json.encode(LettersShown(0, False, None, None)))["why"] is None
    assert msgspec.json.encode(ConnectionsAnswer([])) == b'{"connections":[]}'
