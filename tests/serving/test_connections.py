"""Connections are checked at start, with all faults at once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from features.kit.errors import BadInput
from serving.connections.config import Connections, load_connections, read_connections
from serving.vendors import registry

GOOD = """
vendor = "hubspot"
public_url = "https://scores.example.com/"
secret_envs = ["CRM_SECRET", "CRM_SECRET_OLD"]
source = "sample"
portal_ids = [62515]

[objects.contact]
table = "leads"
key = "L{id}"
columns = { industry = "industry", hs_lead_status = "status" }
[objects.contact.values.status]
UNQUALIFIED = "disqualified"
"""
ENV = {"CRM_SECRET": "s" * 36, "CRM_SECRET_OLD": "t" * 36}


def load(folder: Path, text: str, name: str = "main", env: dict[str, str] = ENV, **more: bool):  # type: ignore[no-untyped-def]
    (folder / f"{name}.toml").write_text(text)
    return load_connections(folder, env, **more)


def read(folder: Path, text: str) -> Connections:
    (folder / "main.toml").write_text(text)
    return read_connections(folder, ENV)


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
            "broken.toml", "'Bad Name'", "key colour", "'sapphire'", "one of dynamics, hubspot",
            "key source", "key portal_ids", "key settle_seconds", "key public_url", "environment variable SHORT: has 4 characters",
            "[objects.contact], key table: 'usage'", "[objects.company], key key", "columns.city: 'town'", "columns.id",
            "values.town", "key extra",
        ):  # fmt: skip
            assert part in text
        assert len(caught.value.faults) == 15

    def test_a_secret_in_the_place_of_its_name_is_not_repeated(self, tmp_path: Path) -> None:
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
    def test_a_secret_file_that_is_none(self, tmp_path: Path, mode: int | None, content: str, said: str) -> None:
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

    def test_what_is_wrong_for_every_vendor_is_said_beside_a_vendor_that_there_is_not(self, tmp_path: Path) -> None:
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
    def test_a_secret_in_the_place_of_anything_is_not_repeated(self, tmp_path: Path, old: str, new: str) -> None:
        assert old in DYNAMICS + LOGIN
        with pytest.raises(BadInput) as caught:
            load(tmp_path, (DYNAMICS + LOGIN).replace(old, new))
        assert "a-pass-word-of-somebody" not in str(caught.value)

    def test_anything_in_the_place_of_anything_is_a_fault_or_good_and_never_an_error_of_ours(
        self, tmp_path: Path
    ) -> None:
        """Each key of each table gets each kind of value: what is said names the file, the place, the rule and the next step."""
        kinds = ["0", "-1", "nan", "1.5", "true", '""', '"\\u0000"', '"http://["', "[]", "[1]", '["x"]', "{}", "{ a = 1 }", "{ a = { b = 1 } }", "1e400"]  # fmt: skip
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


LOGIN = """
[writeback]
mode = "on"
token_env = "CRM_SECRET"
url = "https://example.crm4.dynamics.com"
client_id = "an application"
token_url = "https://login.microsoftonline.com/tenant/oauth2/v2.0/token"
[writeback.models.lead-fit]
object = "contact"
score = "new_fit"
"""
DYNAMICS = GOOD.replace('"hubspot"', '"dynamics"').replace(
    "portal_ids = [62515]", 'organizations = ["6042BEB1-a93a-4f8e-8e4b-00224802c699"]'
)


class TestLogin:
    def test_an_application_logs_in_where_it_is_said(self, tmp_path: Path) -> None:
        found = load(tmp_path, DYNAMICS + LOGIN, tokens_needed=True)["main"]
        assert found.organizations == ("6042beb1-a93a-4f8e-8e4b-00224802c699",)
        assert found.writeback.client_id == "an application"
        assert found.writeback.token_url == "https://login.microsoftonline.com/tenant/oauth2/v2.0/token"

    def test_salesforce_does_at_the_organisations_own_address(self, tmp_path: Path) -> None:
        text = (DYNAMICS + LOGIN).replace('"dynamics"', '"salesforce"').replace("6042BEB1-a93a-4f8e-8e4b-00224802c699", "00D30000000XxXx")  # fmt: skip
        found = load(tmp_path, re.sub(r"token_url.*\n", "", text), tokens_needed=True)["main"]
        assert found.organizations == ("00D30000000XxXxEAK",)
        assert found.writeback.token_url == "https://example.crm4.dynamics.com/services/oauth2/token"

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            (r"token_url = .*", "", "key token_url: none"),
            (r"token_url = .*", 'token_url = "http://login.example.com"', "key token_url: is none"),
            (r"client_id = .*", "client_id = 5", "key client_id"),
            (r"client_id = .*", "", "key client_id"),
            (r"score = ", 'external_id = "x"\nscore = ', "key external_id: no such key"),
            (r"url = .*dynamics.com.*", "", "key url: none"),
        ],
    )
    def test_faults(self, tmp_path: Path, old: str, new: str, said: str) -> None:
        with pytest.raises(BadInput, match=said):
            load(tmp_path, re.sub(old, new, DYNAMICS + LOGIN, count=1), tokens_needed=True)

    def test_nobody_logs_in_to_hubspot(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="only for dynamics, salesforce"):
            load(tmp_path, GOOD + LOGIN, tokens_needed=True)


class TestOneDirection:
    """A system that only sends, or is only sent to: what is about the other direction has one fault."""

    def test_who_sends_us_events_is_not_written_to(self, tmp_path: Path) -> None:
        text = DYNAMICS.replace('"dynamics"', '"pipedrive"').replace("6042BEB1-a93a-4f8e-8e4b-00224802c699", "8087566")
        text = text.replace("objects.contact", "objects.person")
        env = {"CRM_SECRET": f"us:{'s' * 16}", "CRM_SECRET_OLD": f"us:{'t' * 16}"}
        assert load(tmp_path, text, env=env)["main"].secrets == tuple(env.values())
        with pytest.raises(
            BadInput, match=r"\[writeback\]: is there for pipedrive. Rule: only for dynamics, hubspot"
        ) as caught:
            load(tmp_path, text + LOGIN, env=env)
        assert len(caught.value.faults) == 1

    @pytest.mark.parametrize("secret", ["s" * 40, f"us:{'s' * 15}", f":{'s' * 40}", f"us:{'s' * 40}\n"])
    def test_a_login_is_a_user_and_a_password(self, tmp_path: Path, secret: str) -> None:
        text = DYNAMICS.replace('"dynamics"', '"pipedrive"').replace("6042BEB1-a93a-4f8e-8e4b-00224802c699", "8087566")
        with pytest.raises(
            BadInput, match=f"CRM_SECRET: has {len(secret)} characters. Rule: the user and the password"
        ) as caught:
            load(
                tmp_path,
                text.replace("objects.contact", "objects.person"),
                env={"CRM_SECRET": secret, "CRM_SECRET_OLD": secret},
            )
        assert "sss" not in str(caught.value)

    def test_who_is_only_written_to_sends_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(registry.VENDORS, "outward", registry.Vendor(sender="hubspot.outbound:HubSpot"))
        bare = re.sub(r"(public_url|secret_envs|portal_ids) = .*\n", "", GOOD).replace('"hubspot"', '"outward"')
        text = bare + re.sub(r"(client_id|token_url) = .*\n", "", LOGIN)
        found = read(tmp_path, text)
        assert found.mapped["main"].writeback.sends
        assert not found.receiving
        assert not found.off(found.unsigned, found.silent)
        with pytest.raises(BadInput, match=r"key public_url: is there for outward\. Rule: only for dynamics") as caught:
            load(tmp_path, 'public_url = "https://x.example"\n' + text)
        assert len(caught.value.faults) == 1
