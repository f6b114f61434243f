"""OpenID Connect: the code flow with PKCE, state and nonce, against the identity provider of the company (extra `oidc`).

What the three are made of is a random value in a cookie of the browser that asked, so an answer of the provider counts in that
browser alone, once its code is used up, and for ten minutes. Nothing is kept here meanwhile.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.util
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from features.kit.errors import MissingExtra
from serving.sign_in.next_path import safe_next
from serving.sign_in.service import LONGEST_NAME, Person
from serving.sign_in_settings import OidcSettings, SignInSettings, is_local

if TYPE_CHECKING:
    import httpx

FLOW_SECONDS = 600
"""How long a person may take at the provider."""
TIMEOUT_SECONDS = 10.0
METADATA_SECONDS = 3600.0
"""How long the provider's addresses are remembered; its keys are read anew for each sign-in."""
LARGEST = 1024 * 1024
"""Bytes of an answer of the provider."""
LEEWAY_SECONDS = 60
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures with a key pair. Never `none`, and never HS256, whose key would be the client secret."""
CALLBACK = "/ui/sign-in/oidc/callback"
_NAMES = ("preferred_username", "email", "name", "sub")


class OidcRefused(Exception):
    """Raised when the provider's answer does not show who the person is. Its text is for that person."""

    def __init__(self, outcome: str, text: str) -> None:
        super().__init__(text)
        self.outcome = outcome
        """A word for the metrics."""


@dataclass(frozen=True)
class Finished:
    """A person whom the provider named, and the page that was wanted."""

    person: Person
    wanted: str


class Provider:
    """The identity provider. Its methods wait for the network: call them on a thread."""

    def __init__(self, settings: OidcSettings, public_url: str, pepper: bytes) -> None:
        """Raises `MissingExtra` without authlib."""
        if importlib.util.find_spec("authlib") is None:
            raise MissingExtra("oidc", "signing in with OpenID Connect")
        self._settings, self._pepper = settings, pepper
        self._callback = public_url + CALLBACK
        self._metadata: tuple[float, dict[str, Any]] | None = None

    def start(self, wanted: str) -> tuple[str, str]:
        """The provider's URL to send the browser to, and the value of the cookie to give it. Raises `OidcRefused` when
        the provider does not answer.
        """
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        with _client() as client:
            endpoint = self._endpoint(client, "authorization_endpoint")
        page = base64.urlsafe_b64encode(wanted.encode()).decode().rstrip("=")
        flow = f"{secrets.token_urlsafe(32)}.{int(time.time())}.{page}"
        url = prepare_grant_uri(
            endpoint,
            client_id=self._settings.client_id,
            response_type="code",
            redirect_uri=self._callback,
            scope="openid profile email",
            state=self._made(flow, "state"),
            nonce=self._made(flow, "nonce"),
            code_challenge=create_s256_code_challenge(self._made(flow, "verifier")),
            code_challenge_method="S256",
        )
        return url, flow

    def finish(self, flow: str | None, answer: Mapping[str, str]) -> Finished:
        """The person of an answer that the browser brought from the provider. `flow` is its cookie. Raises
        `OidcRefused`.
        """
        wanted = self._check(flow, answer)
        assert flow is not None
        with _client() as client:
            token = self._exchange(client, flow, answer["code"])
            claims = self._verified(client, flow, token)
            groups = claims.get(self._settings.groups_claim)
            if groups is None:
                groups = self._user_info(client, token, claims["sub"]).get(self._settings.groups_claim)
        return Finished(self._person(claims, groups), wanted)

    def _check(self, flow: str | None, answer: Mapping[str, str]) -> str:
        """The page that was wanted, when the answer is to a question of this browser."""
        again = "open the sign-in page and start again"
        state = answer.get("state", "")
        if flow is None or not hmac.compare_digest(self._made(flow, "state").encode(), state.encode()):
            raise OidcRefused("bad_state", f"This answer does not belong to a sign-in of this browser: {again}")
        _, started, page = flow.split(".")
        if not -LEEWAY_SECONDS <= time.time() - int(started) <= FLOW_SECONDS:
            raise OidcRefused("too_late", f"The sign-in took longer than {FLOW_SECONDS // 60} minutes: {again}")
        if "error" in answer or not answer.get("code"):
            raise OidcRefused("provider_refused", f"Your company's sign-in did not let you in: {again}")
        if answer.get("iss", self._settings.issuer) != self._settings.issuer:
            raise OidcRefused("bad_issuer", f"The answer comes from another provider than we asked: {again}")
        return safe_next(base64.urlsafe_b64decode(page + "=" * (-len(page) % 4)).decode())

    def _exchange(self, client: httpx.Client, flow: str, code: str) -> dict[str, Any]:
        """The tokens for a code, which the provider takes once."""
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._callback,
            "code_verifier": self._made(flow, "verifier"),
        }
        url, auth = self._endpoint(client, "token_endpoint"), None
        methods = self._known(client).get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if self._settings.client_secret is not None and "client_secret_basic" in methods:
            auth = (quote(self._settings.client_id, safe=""), quote(self._settings.client_secret, safe=""))
        else:
            fields["client_id"] = self._settings.client_id
            if self._settings.client_secret is not None:
                fields["client_secret"] = self._settings.client_secret
        return _ask(client, "POST", url, data=fields, auth=auth)

    def _verified(self, client: httpx.Client, flow: str, token: Mapping[str, Any]) -> dict[str, Any]:
        """The claims of the ID token: its signature, issuer, audience, times and nonce are right."""
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        keys = _ask(client, "GET", self._endpoint(client, "jwks_uri"))
        try:
            decoded = jwt.decode(str(token.get("id_token")), KeySet.import_key_set(keys), algorithms=ALGORITHMS)  # type: ignore[arg-type]
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                options={
                    "iss": {"essential": True, "value": self._settings.issuer},
                    "aud": {"essential": True, "value": self._settings.client_id},
                    "sub": {"essential": True},
                    "exp": {"essential": True},
                },
                params={
                    "nonce": self._made(flow, "nonce"),
                    "client_id": self._settings.client_id,
                    "access_token": token.get("access_token"),
                },
            )
            claims.validate(now=int(time.time()), leeway=LEEWAY_SECONDS)
        except (JoseError, ValueError, KeyError, TypeError):
            raise OidcRefused(
                "bad_token", "Your company's sign-in gave a token that is not right: tell who runs it"
            ) from None
        return dict(claims)

    def _user_info(self, client: httpx.Client, token: Mapping[str, Any], sub: str) -> dict[str, Any]:
        if not self._known(client).get("userinfo_endpoint") or not token.get("access_token"):
            return {}
        bearer = {"authorization": f"Bearer {token['access_token']}"}
        found = _ask(client, "GET", self._endpoint(client, "userinfo_endpoint"), headers=bearer)
        return found if found.get("sub") == sub else {}

    def _person(self, claims: Mapping[str, Any], groups: Any) -> Person:
        sub = str(claims["sub"])
        named = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
        scopes = self._settings.scopes_of([str(each) for each in named])
        if "ui:read" not in scopes:
            text = (
                "You are known, and none of your groups may read this page: ask who runs it (ACCOUNTSCORE_OIDC_GROUPS)"
            )
            raise OidcRefused("scope_missing", text)
        names = (str(claims.get(each) or "") for each in _NAMES)
        name = next((each for each in names if each.isprintable() and 0 < len(each) <= LONGEST_NAME), "")
        if not name:
            raise OidcRefused("bad_token", "Your company's sign-in gave no name: tell who runs it")
        return Person("oidc", f"oidc:{sub}", name, scopes)

    def _endpoint(self, client: httpx.Client, name: str) -> str:
        url = str(self._known(client).get(name) or "")
        host = urlsplit(url)
        if host.scheme != "https" and not (host.scheme == "http" and is_local(host.hostname or "")):
            raise OidcRefused("provider_wrong", f"Your company's sign-in names no https {name}: tell who runs it")
        return url

    def _known(self, client: httpx.Client) -> dict[str, Any]:
        """The provider's own description."""
        held = self._metadata
        if held is None or time.monotonic() - held[0] > METADATA_SECONDS:
            found = _ask(client, "GET", self._settings.issuer.rstrip("/") + "/.well-known/openid-configuration")
            if found.get("issuer") != self._settings.issuer:
                raise OidcRefused(
                    "provider_wrong", "Your company's sign-in calls itself by another name: tell who runs it"
                )
            held = self._metadata = (time.monotonic(), found)
        return held[1]

    def _made(self, flow: str, what: str) -> str:
        """256 bits that only this server can make of the browser's value."""
        made = hmac.digest(self._pepper, f"oidc {what}\n{flow}".encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(made).decode().rstrip("=")


def provider_of(settings: SignInSettings, pepper: bytes) -> Provider | None:
    """The provider of the settings, if there is one. Raises `MissingExtra`."""
    if settings.oidc is None or settings.public_url is None:
        return None
    return Provider(settings.oidc, settings.public_url, pepper)


def _client() -> httpx.Client:
    import httpx

    return httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=True)


def _ask(client: httpx.Client, method: str, url: str, **more: Any) -> dict[str, Any]:
    """A JSON object of the provider. Raises `OidcRefused` for anything else."""
    import httpx

    try:
        answer = client.request(method, url, **more)
        found = answer.json() if answer.status_code == 200 and len(answer.content) <= LARGEST else None
    except (httpx.HTTPError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise OidcRefused("provider_away", "Your company's sign-in does not answer, or refused: try again in a minute")
    return found
