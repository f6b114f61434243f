"""How a connection's write-back is configured: logging in, and vendors of one direction."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from features.kit.errors import BadInput
from serving.connections.config import Connections, read_connections
from serving.vendors import registry
from tests.kit.connection_files import DYNAMICS, ENV, GOOD, LOGIN, load


def read(folder: Path, text: str) -> Connections:
    (folder / "main.toml").write_text(text)
    return read_connections(folder, ENV)


class TestLogin:
    def test_an_application_logs_in_at_its_token_url(self, tmp_path: Path) -> None:
        found = load(tmp_path, DYNAMICS + LOGIN, tokens_needed=True)["main"]
        assert found.organizations == ("6042beb1-a93a-4f8e-8e4b-00224802c699",)
        assert found.writeback.client_id == "an application"
        assert found.writeback.token_url == "https://login.microsoftonline.com/tenant/oauth2/v2.0/token"

    def test_salesforce_logs_in_at_the_connections_url(self, tmp_path: Path) -> None:
        text = (
            (DYNAMICS + LOGIN)
            .replace('"dynamics"', '"salesforce"')
            .replace("6042BEB1-a93a-4f8e-8e4b-00224802c699", "00D30000000XxXx")
        )
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

    def test_writeback_is_a_fault_for_a_vendor_that_only_sends(self, tmp_path: Path) -> None:
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

    def test_webhook_keys_are_a_fault_for_a_vendor_that_only_receives(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
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
