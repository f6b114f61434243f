"""Whether a connection's scores are queued and sent."""

from __future__ import annotations

import pytest

from serving.vendors.destination import Mode, WriteBack

TOKEN = "a token of the customer"


@pytest.mark.parametrize(
    ("mode", "token", "queues", "sends"),
    [
        ("off", TOKEN, False, False),
        ("dry-run", TOKEN, True, False),
        ("on", TOKEN, True, True),
        ("on", "", True, False),
    ],
)
def test_scores_are_sent_where_it_is_on_and_has_its_token(mode: Mode, token: str, queues: bool, sends: bool) -> None:
    made = WriteBack(mode, token=token)
    assert (made.queues, made.sends) == (queues, sends)


def test_the_token_is_not_printed() -> None:
    assert TOKEN not in repr(WriteBack("on", token=TOKEN))
