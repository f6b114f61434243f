"""Logs in as an application: OAuth 2.0 client credentials. The token is kept until the CRM refuses it.

Source: RFC 6749, section 4.4; Salesforce, "OAuth 2.0 Client Credentials Flow"; Microsoft, "OAuth 2.0 client credentials
flow on the Microsoft identity platform".
"""

from __future__ import annotations

from collections.abc import Generator

import httpx

from serving.vendors.calls import CallFailed
from serving.vendors.destination import WriteBack
from serving.vendors.retry_after import retry_after

MEND_SECONDS = 60.0
"""Wait after a refused login: a person has to mend it."""


def login(config: WriteBack, scope: str = "") -> httpx.Auth:
    """How to log in. With a client id the connection's token is the application's secret; without one it is the access
    token."""
    if config.client_id:
        return ClientCredentials(config.token_url, config.client_id, config.token, scope)
    return Bearer(config.token)


class Bearer(httpx.Auth):
    """A fixed access token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


class ClientCredentials(httpx.Auth):
    """Requests a token when there is none, and once more when the CRM refuses (401) the one that was kept. Raises
    `CallFailed` when the login gives none."""

    requires_response_body = True

    def __init__(self, url: str, client_id: str, secret: str, scope: str = "") -> None:
        self._url = url
        self._token: str | None = None
        self._form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        if scope:
            self._form["scope"] = scope

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        kept = self._token
        if not kept:
            self._read((yield self._ask()))
        request.headers["Authorization"] = f"Bearer {self._token}"
        answer = yield request
        if answer.status_code == 401 and kept:
            self._token = None
            self._read((yield self._ask()))
            request.headers["Authorization"] = f"Bearer {self._token}"
            answer = yield request
        if answer.status_code == 401:
            self._token = None

    def _ask(self) -> httpx.Request:
        return httpx.Request("POST", self._url, data=self._form, headers={"Accept": "application/json"})

    def _read(self, answer: httpx.Response) -> None:
        why = f"no token: HTTP {answer.status_code}"
        wait = retry_after(answer.headers.get("retry-after"))
        if answer.status_code >= 500 or answer.status_code in (408, 429):
            raise CallFailed(why, wait, paused=answer.status_code == 429)
        try:
            token = answer.json()["access_token"]
        except (ValueError, TypeError, KeyError):
            token = None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise CallFailed(why, max(wait or 0.0, MEND_SECONDS), paused=True)
        self._token = token
