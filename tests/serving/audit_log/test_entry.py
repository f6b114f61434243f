"""What a row may say."""

from __future__ import annotations

import pytest

from features.kit.os_user import os_user
from serving.audit_log.entry import ACTIONS, NEVER_REDACTED, SECRETS, Entry, command


def test_a_command_acts_as_the_system_in_the_name_of_its_user() -> None:
    who = command("keys create")
    assert (who.kind, who.id, who.name) == ("system", "keys create", os_user())


def test_an_action_without_a_word_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'sign_inn' is not an action of the audit log: one of sign_in,"):
        Entry(command("x"), "sign_inn", "key", None)


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_a_secret_is_refused(name: str) -> None:
    for before, after in (({name: "x"}, None), (None, {name: "x"})):
        with pytest.raises(ValueError, match=f"takes no {name}"):
            Entry(command("x"), "key_created", "key", "k", before, after)


def test_what_stays_for_good_is_a_word_of_the_list() -> None:
    assert set(ACTIONS) > NEVER_REDACTED
