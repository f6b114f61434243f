"""Secrets of a connection, from the environment and from files; no message repeats one."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.kit.errors import Fault
from serving.connections.secrets import from_environment, from_files, token_of
from serving.vendors.inbound import Inbound

FORM, FILE = Inbound.secret, Path("crm.toml")
SECRET = "a secret of the customer"


def said(found: object) -> str:
    assert isinstance(found, Fault)
    return str(found)


class TestFromEnvironment:
    def test_each_variable_gives_its_secret_or_its_own_fault(self) -> None:
        first, unset, short = from_environment(["A", "B", "C"], {"A": SECRET, "C": "hunter2"}, FORM, FILE)
        assert first == SECRET
        assert "crm.toml, environment variable B: is not set." in said(unset)
        assert "environment variable C: has 7 characters." in said(short)
        assert "hunter2" not in said(short)

    def test_a_secret_in_the_place_of_a_variables_name_is_not_repeated(self) -> None:
        (fault,) = from_environment(["hunter2-hunter2"], {}, FORM, FILE)
        assert "environment variable (a name that is none): is not set." in said(fault)


class TestFromFiles:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "secret"
        path.write_text(f"{SECRET}\n")
        path.chmod(0o600)
        return path

    def test_a_relative_path_is_beside_the_connections_file(self, file: Path) -> None:
        assert list(from_files(["secret"], FORM, file.parent / "crm.toml")) == [SECRET]
        assert list(from_files([str(file)], FORM, FILE)) == [SECRET]

    def test_one_that_others_may_read_is_refused(self, file: Path) -> None:
        file.chmod(0o644)
        (fault,) = from_files([str(file)], FORM, FILE)
        assert "key secret_files, file 1: any user may read it." in said(fault)
        assert f"chmod o= {file}" in said(fault)

    def test_a_name_is_not_repeated_for_it_may_be_a_secret(self, file: Path) -> None:
        faults = list(from_files(["hunter2", "hunter2\0"], FORM, file.parent / "crm.toml"))
        assert [said(fault).partition(". Rule")[0].rpartition(", ")[2] for fault in faults] == [
            "file 1: No such file or directory",
            "file 2: is not text",
        ]
        assert not any("hunter2" in said(fault) for fault in faults)

    def test_an_empty_file_holds_none(self, file: Path) -> None:
        file.write_text("")
        (fault,) = from_files([str(file)], FORM, FILE)
        assert "file 1: is not set." in said(fault)


class TestTokenOf:
    def test_a_token_that_is_set_has_no_fault(self) -> None:
        assert token_of("CRM_TOKEN", {"CRM_TOKEN": "t" * 16}, FILE) == ("t" * 16, [], [])

    @pytest.mark.parametrize("name", [None, 5, "hunter2", "", "crm_token"])
    def test_what_names_no_variable_is_a_fault_of_the_file(self, name: object) -> None:
        token, (fault,), unset = token_of(name, {}, FILE)
        assert (token, unset) == ("", [])
        assert "hunter2" not in said(fault)

    @pytest.mark.parametrize("value", ["", "t" * 15, "t" * 16 + "\n", "t" * 16 + "ü"])
    def test_an_invalid_token_is_a_fault_of_the_environment(self, value: str) -> None:
        token, faults, (fault,) = token_of("CRM_TOKEN", {"CRM_TOKEN": value}, FILE)
        assert (token, faults) == ("", [])
        assert f"environment variable CRM_TOKEN: {f'has {len(value)} characters' if value else 'is not set'}." in said(
            fault
        )
