"""Settings of signing in: proxies that are believed, a header that names the person, OpenID Connect.

All are off by default; then people sign in by pasting an API key.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from features.kit.errors import Fault

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
PERSON_SCOPES = ("ui:read", "ui:act", "feedback", "admin")
"""Scopes that a person may have who signs in without a key."""
_NAME = re.compile(r"[A-Za-z0-9-]{1,60}")
_OTHERS = frozenset(
    [
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "idempotency-key",
        "origin",
        "referer",
        "sec-fetch-site",
        "te",
        "transfer-encoding",
        "upgrade",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-request-id",
    ]
)
"""Headers that say something else."""
Wrong = Callable[[str, str, str, str], None]
"""Takes the name of a setting, what was found, the rule and the next step."""


@dataclass(frozen=True)
class OidcSettings:
    """The identity provider of the company."""

    issuer: str
    """`ACCOUNTSCORE_OIDC_ISSUER`: URL; its `/.well-known/openid-configuration` is read."""
    client_id: str
    """`ACCOUNTSCORE_OIDC_CLIENT_ID`."""
    client_secret: str | None = field(repr=False)
    """`ACCOUNTSCORE_OIDC_CLIENT_SECRET`: none for a public client, which has the proof of PKCE alone."""
    groups_claim: str
    """`ACCOUNTSCORE_OIDC_GROUPS_CLAIM`: claim of the ID token or of the user info with the person's groups."""
    groups: Mapping[str, frozenset[str]]
    """`ACCOUNTSCORE_OIDC_GROUPS`: group to scopes, `sales=ui:read ui:act; it=ui:read admin`. `*` is everybody."""

    def scopes_of(self, groups: list[str]) -> frozenset[str]:
        """Union of the scopes of the groups.

        >>> found = OidcSettings("https://id", "us", None, "groups", {"*": frozenset({"ui:read"}), "it": frozenset({"admin"})})
        >>> sorted(found.scopes_of(["it", "else"])), sorted(found.scopes_of([]))
        (['admin', 'ui:read'], ['ui:read'])
        """
        return frozenset().union(*(self.groups.get(name, frozenset()) for name in ("*", *groups)))


@dataclass(frozen=True)
class SignInSettings:
    """How people sign in, beside pasting a key."""

    public_url: str | None = None
    """`ACCOUNTSCORE_PUBLIC_URL`: under which people reach the page; OpenID Connect sends them back to it."""
    proxies: tuple[Network, ...] = ()
    """`ACCOUNTSCORE_PROXY_NETWORKS`: addresses of proxies whose X-Forwarded-* and sign-in header are believed."""
    header: str | None = None
    """`ACCOUNTSCORE_SIGN_IN_HEADER`, lower case: the header in which such a proxy names the person."""
    header_scopes: frozenset[str] = frozenset({"ui:read"})
    """`ACCOUNTSCORE_SIGN_IN_HEADER_SCOPES`: what a person named by the header may do."""
    oidc: OidcSettings | None = None

    @property
    def by_others(self) -> bool:
        """Whether a proxy or an identity provider says who people are. Then nothing is open on loopback: a proxy on
        this machine would let in everybody who reaches it.
        """
        return self.header is not None or self.oidc is not None

    def is_proxy(self, address: str | None) -> bool:
        """Whether an address is in `proxies`.

        >>> SignInSettings(proxies=(ipaddress.ip_network("10.0.0.0/8"),)).is_proxy("10.1.2.3")
        True
        """
        if not self.proxies or address is None:
            return False
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(found, "ipv4_mapped", None)
        return any((mapped or found) in network for network in self.proxies)


def read_sign_in(env: Mapping[str, str], faults: list[Fault]) -> SignInSettings:
    """The settings of the environment; what breaks its rule is added to `faults`."""

    def wrong(name: str, found: str, rule: str, next_step: str) -> None:
        faults.append(Fault(where=name, found=found[:80], rule=rule, next_step=next_step))

    def given(name: str) -> str:
        return (env.get(name) or "").strip()

    public = _url(given("ACCOUNTSCORE_PUBLIC_URL"), "ACCOUNTSCORE_PUBLIC_URL", wrong, path=False)
    proxies = []
    for text in filter(None, (each.strip() for each in given("ACCOUNTSCORE_PROXY_NETWORKS").split(","))):
        try:
            network = ipaddress.ip_network(text)
        except ValueError:
            rule = "addresses or networks of proxies, separated by commas, without host bits"
            wrong("ACCOUNTSCORE_PROXY_NETWORKS", repr(text), rule, "write 10.0.0.0/8,127.0.0.1")
            continue
        if network.prefixlen == 0:
            wrong(
                "ACCOUNTSCORE_PROXY_NETWORKS",
                repr(text),
                "not every address: anybody could be anybody",
                "name the proxies alone",
            )
        proxies.append(network)
    header = given("ACCOUNTSCORE_SIGN_IN_HEADER").lower()
    if header and (not _NAME.fullmatch(header) or header in _OTHERS):
        rule = "the name of a request header that says nothing else: letters, digits and -"
        wrong("ACCOUNTSCORE_SIGN_IN_HEADER", repr(header), rule, "write X-Auth-Request-Email")
    if header and not given("ACCOUNTSCORE_PROXY_NETWORKS"):
        rule = "with a sign-in header, the addresses of the proxies that may send it"
        wrong("ACCOUNTSCORE_PROXY_NETWORKS", "nothing", rule, "write 127.0.0.1 for a proxy on this machine")
    scopes = _scopes(
        given("ACCOUNTSCORE_SIGN_IN_HEADER_SCOPES") or "ui:read", "ACCOUNTSCORE_SIGN_IN_HEADER_SCOPES", wrong
    )
    return SignInSettings(public, tuple(proxies), header or None, scopes, _oidc(given, wrong))


def _oidc(given: Callable[[str], str], wrong: Wrong) -> OidcSettings | None:
    names = (
        "ACCOUNTSCORE_OIDC_ISSUER",
        "ACCOUNTSCORE_OIDC_CLIENT_ID",
        "ACCOUNTSCORE_OIDC_CLIENT_SECRET",
        "ACCOUNTSCORE_OIDC_GROUPS",
        "ACCOUNTSCORE_OIDC_GROUPS_CLAIM",
    )
    named = [name for name in names if given(name)]
    if not named:
        return None
    steps = {
        "ACCOUNTSCORE_OIDC_ISSUER": "write the issuer's URL, https://id.example.com",
        "ACCOUNTSCORE_OIDC_CLIENT_ID": "write the id that the provider gave",
        "ACCOUNTSCORE_OIDC_GROUPS": "write sales=ui:read ui:act; it=ui:read admin",
        "ACCOUNTSCORE_PUBLIC_URL": "write https://scores.example.com",
    }
    for name, step in steps.items():
        if not given(name):
            wrong(name, "nothing", f"needed with {named[0]}", step)
    issuer = _url(given("ACCOUNTSCORE_OIDC_ISSUER"), "ACCOUNTSCORE_OIDC_ISSUER", wrong, path=True)
    groups: dict[str, frozenset[str]] = {}
    for entry in filter(None, (each.strip() for each in given("ACCOUNTSCORE_OIDC_GROUPS").split(";"))):
        group, equals, words = entry.rpartition("=")
        if not equals or not group.strip():
            wrong(
                "ACCOUNTSCORE_OIDC_GROUPS",
                repr(entry),
                "GROUP=SCOPE SCOPE, separated by semicolons",
                steps["ACCOUNTSCORE_OIDC_GROUPS"],
            )
            continue
        groups[group.strip()] = _scopes(words, "ACCOUNTSCORE_OIDC_GROUPS", wrong)
    claim = given("ACCOUNTSCORE_OIDC_GROUPS_CLAIM") or "groups"
    return OidcSettings(
        issuer or "",
        given("ACCOUNTSCORE_OIDC_CLIENT_ID"),
        given("ACCOUNTSCORE_OIDC_CLIENT_SECRET") or None,
        claim,
        groups,
    )


def _scopes(text: str, name: str, wrong: Wrong) -> frozenset[str]:
    words = frozenset(text.replace(",", " ").split())
    unknown = sorted(words - set(PERSON_SCOPES))
    if unknown or not words:
        rule = f"some of {', '.join(PERSON_SCOPES)}"
        wrong(name, repr(unknown[0]) if unknown else "nothing", rule, "write ui:read")
    return words


def _url(text: str, name: str, wrong: Wrong, *, path: bool) -> str | None:
    if not text:
        return None
    try:
        found = urlsplit(text)
        host, port = found.hostname or "", found.port
    except ValueError:
        host, port, found = "", None, urlsplit("")
    rest = found.query or found.fragment or found.username or (found.path.strip("/") and not path)
    if not host or rest or port == 0 or not (found.scheme == "https" or (found.scheme == "http" and is_local(host))):
        rule = "an https URL without a query" + ("" if path else " or a path") + "; http on localhost alone"
        wrong(name, repr(text), rule, "write https://example.com")
        return None
    return text if path else text.rstrip("/")


def is_local(host: str) -> bool:
    """Whether a host name is this machine's loopback.

    >>> is_local("localhost"), is_local("127.0.0.1"), is_local("::1"), is_local("example.com")
    (True, True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
