"""Settings of signing in: defaults, rules, every fault at once."""

from __future__ import annotations

from features.kit.errors import Fault
from serving.sign_in_settings import SignInSettings, read_sign_in

OIDC = {
    "OIDC_ISSUER": "https://id.example.com/realms/one",
    "OIDC_CLIENT_ID": "scores",
    "OIDC_CLIENT_SECRET": "s3cret-value",
    "OIDC_GROUPS": "sales=ui:read ui:act; cn=it,dc=x=ui:read,admin; *=ui:read",
    "PUBLIC_URL": "https://scores.example.com/",
}


def read(**given: str) -> tuple[SignInSettings, list[Fault]]:
    faults: list[Fault] = []
    return read_sign_in({f"ACCOUNTSCORE_{name}": value for name, value in given.items()}, faults), faults


class TestDefaults:
    def test_keys_alone(self) -> None:
        found, faults = read()
        assert (found, faults) == (SignInSettings(), [])
        assert not found.by_others
        assert not found.is_proxy("127.0.0.1")


class TestHeader:
    def test_it_is_believed_from_the_listed_alone(self) -> None:
        found, faults = read(
            SIGN_IN_HEADER="X-Auth-Request-Email",
            PROXY_NETWORKS="10.0.0.0/8, ::1",
            SIGN_IN_HEADER_SCOPES="ui:read ui:act",
        )
        assert faults == []
        assert (found.header, found.header_scopes, found.by_others) == (
            "x-auth-request-email",
            {"ui:read", "ui:act"},
            True,
        )
        assert found.is_proxy("10.200.0.1")
        assert found.is_proxy("::1")
        assert not found.is_proxy("11.0.0.1")
        assert not found.is_proxy("unix:")
        assert not found.is_proxy(None)

    def test_without_proxies_it_is_refused(self) -> None:
        _, faults = read(SIGN_IN_HEADER="X-User")
        assert [fault.where for fault in faults] == ["ACCOUNTSCORE_PROXY_NETWORKS"]


class TestOidc:
    def test_it_reads_groups_to_scopes(self) -> None:
        found, faults = read(**OIDC)
        assert faults == []
        assert found.oidc is not None
        assert (found.public_url, found.oidc.groups_claim) == ("https://scores.example.com", "groups")
        assert found.oidc.scopes_of(["cn=it,dc=x"]) == {"ui:read", "admin"}
        assert found.oidc.scopes_of(["nobody"]) == {"ui:read"}
        assert "s3cret-value" not in repr(found)

    def test_what_is_missing_is_named_all_at_once(self) -> None:
        _, faults = read(OIDC_CLIENT_SECRET="s3cret-value")
        missing = {fault.where.removeprefix("ACCOUNTSCORE_") for fault in faults}
        assert missing == {"OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_GROUPS", "PUBLIC_URL"}
        assert "s3cret-value" not in repr(faults)


class TestRules:
    def test_each_fault_is_told_with_a_next_step(self) -> None:
        given = {
            **OIDC,
            "PUBLIC_URL": "http://scores.example.com",
            "PROXY_NETWORKS": "10.0.0.1/8, 0.0.0.0/0, somewhere",
            "SIGN_IN_HEADER": "Cookie",
            "SIGN_IN_HEADER_SCOPES": "ui:read score",
            "OIDC_ISSUER": "https://user@id.example.com",
            "OIDC_GROUPS": "sales; =ui:read; it=fly",
        }
        _, faults = read(**given)
        found = [fault.where.removeprefix("ACCOUNTSCORE_") for fault in faults]
        assert sorted(found) == sorted(
            ["PUBLIC_URL"]
            + 3 * ["PROXY_NETWORKS"]
            + ["SIGN_IN_HEADER", "SIGN_IN_HEADER_SCOPES", "OIDC_ISSUER"]
            + 3 * ["OIDC_GROUPS"]
        )
        assert all(fault.next_step and fault.rule for fault in faults)

    def test_urls_are_https_but_for_localhost(self) -> None:
        for url, good in {
            "http://localhost:9400": True,
            "http://127.0.0.1:9400": True,
            "http://id.example.com": False,
            "ftp://id.example.com": False,
            "https://id.example.com?x=1": False,
            "https://[": False,
            "https://": False,
            "https://id.example.com:0": False,
        }.items():
            _, faults = read(**{**OIDC, "OIDC_ISSUER": url})
            assert (faults == []) is good, url
