"""Connections are checked at start, with all faults at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from features.kit.errors import BadInput
from serving.connections.config import load_connections
from tests.kit.connection_files import DYNAMICS, ENV, GOOD, LOGIN, load


class TestLoadConnections:
    def test_a_good_one(self, tmp_path: Path) -> None:
        connection = load(tmp_path, GOOD)["main"]
        assert connection.public_url == "https://scores.example.com"
        assert connection.secrets == ("s" * 36, "t" * 36)
        assert connection.objects["contact"].key_of("7") == "L7"
        assert connection.objects["contact"].values == {"status": {"UNQUALIFIED": "disqualified"}}

    def test_no_folder_is_no_connection(self, tmp_path: Path) -> None:
        assert load_connections(tmp_path / "none") == {}

    def test_the_worker_needs_no_secrets(self, tmp_path: Path) -> None:
        assert load(tmp_path, GOOD, env={}, secrets_needed=False)["main"].secrets == ()

    def test_secrets_are_not_printed(self, tmp_path: Path) -> None:
        assert "ssss" not in repr(load(tmp_path, GOOD))

    def test_all_faults_of_all_files_at_once(self, tmp_path: Path) -> None:
        (tmp_path / "broken.toml").write_text("a = = 1")
        bad = """
vendor = "sapphire"
public_url = "scores.example.com/webhooks?x=1"
secret_envs = ["CRM_SECRET", "SHORT"]
portal_ids = ["x"]
settle_seconds = -1
colour = "red"
[objects.contact]
table = "usage"
[objects.company]
table = "accounts"
key = "x"
columns = { city = "town", id = "account_id" }
values = { town = { a = "b" } }
extra = 1
"""
        with pytest.raises(BadInput) as caught:
            load(tmp_path, bad, "Bad Name", {**ENV, "SHORT": "1234"})
        text = str(caught.value)
        for part in (
            "broken.toml",
            "'Bad Name'",
            "key colour",
            "'sapphire'",
            "one of dynamics, hubspot",
            "key source",
            "key portal_ids",
            "key settle_seconds",
            "key public_url",
            "environment variable SHORT: has 4 characters",
            "[objects.contact], key table: 'usage'",
            "[objects.company], key key",
            "columns.city: 'town'",
            "columns.id",
            "values.town",
            "key extra",
        ):
            assert part in text
        assert len(caught.value.faults) == 15

    def test_a_secret_pasted_for_its_name_is_not_repeated(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput) as caught:
            load(tmp_path, GOOD.replace('"CRM_SECRET"', '"pat-eu1-0123456789"'))
        assert "0123456789" not in str(caught.value)

    def test_secrets_may_lie_in_files(self, tmp_path: Path) -> None:
        text = GOOD.replace('source = "sample"', 'source = "sample"\nsecret_files = ["main.secret"]')
        (tmp_path / "main.secret").write_text("f" * 40 + "\n")
        (tmp_path / "main.secret").chmod(0o600)
        assert load(tmp_path, text)["main"].secrets == ("s" * 36, "t" * 36, "f" * 40)
        alone = re.sub(r"secret_envs = .*\n", "", text)
        assert load(tmp_path, alone, env={})["main"].secrets == ("f" * 40,)
        assert load(tmp_path, alone, env={}, secrets_needed=False)["main"].secrets == ()

    @pytest.mark.parametrize(
        ("mode", "content", "said"),
        [
            (0o604, "f" * 40, r"any user may read it.*chmod o= "),  # the sabotaged twin of 0o600
            (0o600, "f" * 15, "has 15 characters"),
            (None, "", "No such file"),
        ],
    )
    def test_a_bad_secret_file_is_a_fault(self, tmp_path: Path, mode: int | None, content: str, said: str) -> None:
        name = "7c6c3e0e-secret"
        if mode is not None:
            (tmp_path / name).write_text(content)
            (tmp_path / name).chmod(mode)
        with pytest.raises(BadInput, match=said) as caught:
            load(tmp_path, re.sub(r"secret_envs = .*", f'secret_files = ["{name}"]', GOOD))
        assert mode == 0o604 or name not in str(caught.value)

    def test_an_object_that_the_vendor_does_not_have(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="one of contact, company, deal, ticket"):
            load(tmp_path, GOOD.replace("objects.contact", "objects.contract"))

    def test_an_unknown_vendor_hides_no_other_fault(self, tmp_path: Path) -> None:
        text = (GOOD + LOGIN).replace('"hubspot"', '["hubspot"]').replace('mode = "on"', 'mode = "now"')
        with pytest.raises(BadInput) as caught:
            load(tmp_path, text)
        assert [fault.where.partition("main.toml, ")[2] for fault in caught.value.faults] == [
            "key vendor",
            "[writeback], key mode",
        ]

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("https://scores.example.com/", "https://u:a-pass-word-of-somebody@x.example/?q"),
            ("https://scores.example.com/", "https://scores.example.com/hook?key=a-pass-word-of-somebody"),
            ('["CRM_SECRET", "CRM_SECRET_OLD"]', '["a-pass-word-of-somebody"]'),
            ('["CRM_SECRET", "CRM_SECRET_OLD"]', "{ a-pass-word-of-somebody = 5 }"),
            ("secret_envs", 'secret_files = "a-pass-word-of-somebody"\nsecret_envs'),
            ("secret_envs", 'secret_files = ["a-pass-word-of-somebody\\u0000"]\nsecret_envs'),
            ('"https://example.crm4.dynamics.com"', '"https://u:a-pass-word-of-somebody@x.example"'),
            ('token_env = "CRM_SECRET"', 'token_env = "a-pass-word-of-somebody"'),
        ],
    )
    def test_a_secret_pasted_for_any_key_is_not_repeated(self, tmp_path: Path, old: str, new: str) -> None:
        assert old in DYNAMICS + LOGIN
        with pytest.raises(BadInput) as caught:
            load(tmp_path, (DYNAMICS + LOGIN).replace(old, new))
        assert "a-pass-word-of-somebody" not in str(caught.value)

    def test_any_value_for_any_key_is_accepted_or_a_fault(self, tmp_path: Path) -> None:
        """Each key of each table gets each kind of value: what is said names the file, the place, the rule and the next step."""
        kinds = [
            "0",
            "-1",
            "nan",
            "1.5",
            "true",
            '""',
            '"\\u0000"',
            '"http://["',
            "[]",
            "[1]",
            '["x"]',
            "{}",
            "{ a = 1 }",
            "{ a = { b = 1 } }",
            "1e400",
        ]
        lines, tried = (DYNAMICS + LOGIN).splitlines(), 0
        for number, line in enumerate(lines):
            name, _, value = line.partition(" = ")
            for kind in kinds if value else ():
                text = "\n".join([*lines[:number], f"{name} = {kind}", *lines[number + 1 :]])
                tried += 1
                try:
                    load(tmp_path, text, tokens_needed=True)
                except BadInput as error:
                    for fault in error.faults:
                        assert str(tmp_path / "main.toml") in fault.where
                        assert all((fault.found, fault.rule, fault.next_step)), fault
        assert tried == 16 * len(kinds)
