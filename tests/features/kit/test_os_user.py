"""The user that the kernel names, whatever the environment says."""

from __future__ import annotations

import getpass
import os
import pwd

import pytest

from features.kit.os_user import os_user


def test_it_is_the_kernels_user_and_not_that_of_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "USERNAME"):
        monkeypatch.setenv(name, "somebody-else")
    assert os_user() == pwd.getpwuid(os.getuid()).pw_name
    assert getpass.getuser() == "somebody-else"  # the twin: what reads the variables believes them


def test_a_number_without_a_name_is_said_as_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)
    assert os_user() == "uid 2147483641"
