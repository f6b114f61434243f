"""API keys: made, shown once, and known again."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import pytest

from features.kit.clock import DAY_US
from features.kit.errors import UserMistake
from serving.keys import repository, service
from serving.keys.service import KeyRing
from serving.store.connect import Store

PEPPER = b"a pepper"


def create(store: Store, name: str = "crm", *scopes: str, now: int = 1, days: int | None = None) -> str:
    with store.write() as connection:
        return service.create(connection, PEPPER, name, scopes or ("score", "read"), now, days)[0]


def ring(store: Store, now: int = 1, pepper: bytes = PEPPER) -> KeyRing:
    with store.read() as connection:
        return KeyRing.load(connection, pepper, now)


class TestCreate:
    def test_the_store_has_a_keyed_hash_and_never_the_secret(self, store: Store) -> None:
        token = create(store, "crm", "score", "read", "score")
        prefix, key_id, secret = token.split("_", 2)
        with store.read() as connection:
            (kept,) = repository.all_of(connection)
        assert (prefix, kept.id, kept.scopes) == ("as", key_id, "read score")
        assert kept.hash == hmac.new(PEPPER, secret.encode(), hashlib.sha256).hexdigest()
        assert secret not in repr(kept)

    @pytest.mark.parametrize(
        ("name", "scopes", "said"),
        [
            (
                "crm",
                ["score", "fly"],
                "scope 'fly' is none: some of score, read, override, privacy, metrics, ui:read, ui:act, feedback, admin",
            ),
            ("crm", [], "no scope is given"),
            ("", ["score"], "1 to 60 printable characters"),
            ("x" * 61, ["score"], "1 to 60 printable characters"),
            ("a\nb", ["score"], "1 to 60 printable characters"),
        ],
    )
    def test_what_is_wrong_is_said_and_nothing_is_made(
        self, store: Store, name: str, scopes: list[str], said: str
    ) -> None:
        with store.write() as connection:
            with pytest.raises(UserMistake, match=said):
                service.create(connection, PEPPER, name, scopes, 1)
            assert not repository.ever(connection)

    def test_a_name_has_two_live_keys_at_most(self, store: Store) -> None:
        create(store, days=1)
        create(store)
        with pytest.raises(UserMistake, match=r"'crm' has 2 live keys .*: revoke one, then make the new one"):
            create(store)
        create(store, "other")
        create(store, now=1 + DAY_US)  # the first is over


class TestKeyRing:
    def test_a_caller_is_known_by_its_whole_key(self, store: Store) -> None:
        token = create(store, "crm", "score")
        caller = ring(store).caller(token, 1)
        assert caller is not None
        assert (caller.name, caller.may("score"), caller.may("read")) == ("crm", True, False)
        for bad in ("", "as_", token[:-1], token + "x", token.upper(), token[3:], f"as_{'0' * 12}_{token[16:]}"):
            assert ring(store).caller(bad, 1) is None
        assert ring(store, pepper=b"another").caller(token, 1) is None

    def test_a_key_ends_in_a_ring_that_was_loaded_before(self, store: Store) -> None:
        token, loaded = create(store, days=1), ring(store)
        assert loaded.caller(token, DAY_US) is not None
        assert loaded.caller(token, 1 + DAY_US) is None

    def test_a_key_is_needed_once_one_was_made(self, store: Store) -> None:
        assert not ring(store).needed
        create(store, days=1)
        assert ring(store, now=2 * DAY_US).needed

    def test_hashes_are_not_printed(self, store: Store) -> None:
        create(store)
        assert repr(ring(store)) == "KeyRing(needed=True)"


class TestReadPepper:
    def test_it_is_made_once_and_its_owner_alone_may_read_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("ACCOUNTSCORE_KEY_PEPPER", raising=False)
        made = service.read_pepper(tmp_path)
        assert len(made) == 64
        assert service.read_pepper(tmp_path) == made
        assert (tmp_path / service.PEPPER).stat().st_mode & 0o077 == 0

    def test_the_environment_goes_first_and_has_32_characters(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ACCOUNTSCORE_KEY_PEPPER", "p" * 32)
        assert service.read_pepper(tmp_path) == b"p" * 32
        assert list(tmp_path.iterdir()) == []
        monkeypatch.setenv("ACCOUNTSCORE_KEY_PEPPER", "p" * 31)
        with pytest.raises(UserMistake, match="fewer than 32 characters"):
            service.read_pepper(tmp_path)
