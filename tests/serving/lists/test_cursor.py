"""Cursors are signed, carry every bit of a number, and are of one list."""

from __future__ import annotations

import base64

import pytest

from serving.errors import Invalid
from serving.lists.cursor import LONGEST, Position, Signer, belongs, read, write

SIGNER = Signer.of(b"pepper")
POSITION = Position("model=churn-risk&sort=score&order=desc", 5, 0, 0.1 + 0.2, "acme/1")


def test_it_comes_back_as_it_was() -> None:
    for key in (0.1 + 0.2, 12, "Ünïcode", None, 5e-324):
        position = Position("list", 2**52, 1, key, "\U0010ffff/ä")
        token = write(position, SIGNER)
        assert read(token, SIGNER) == position
        assert token.isascii()
        assert "=" not in token
        assert "+" not in token
        assert "/" not in token


def test_every_changed_byte_is_found() -> None:
    token = write(POSITION, SIGNER)
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for place in range(len(raw)):
        changed = bytes([*raw[:place], raw[place] ^ 1, *raw[place + 1 :]])
        with pytest.raises(Invalid, match=r"cursor: it was changed.*Next: ask without it"):
            read(base64.urlsafe_b64encode(changed).decode().rstrip("="), SIGNER)


@pytest.mark.parametrize("token", ["", "a", "!!!", "é", "AAAA", "A" * 200, "A" * (LONGEST + 1), "\x00"])
def test_what_is_no_cursor_is_refused(token: str) -> None:
    with pytest.raises(Invalid, match="was changed, or comes from another home"):
        read(token, SIGNER)


def test_one_of_another_home_is_refused() -> None:
    with pytest.raises(Invalid, match="another home"):
        read(write(POSITION, Signer.of(b"other")), SIGNER)


def test_one_of_another_version_is_refused() -> None:
    content = b"[1]"
    token = base64.urlsafe_b64encode(SIGNER.mac(content) + content).decode().rstrip("=")
    with pytest.raises(Invalid, match="another version"):
        read(token, SIGNER)


def test_one_of_another_list_is_refused() -> None:
    belongs(POSITION, POSITION.list)
    with pytest.raises(Invalid, match="another model, filters or sort") as told:
        belongs(POSITION, "model=lead-fit&sort=score&order=desc")
    assert told.value.code == "bad_cursor"
