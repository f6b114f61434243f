"""A browser of few words for the page: it keeps cookies, follows no redirect, and finds the fields of a form."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import httpx

from serving.sign_in.cookies import SESSION
from tests.kit.inside import Inside

FORM = "application/x-www-form-urlencoded"


class Form(HTMLParser):
    """The first form of a page that goes to `action`: its fields and their values."""

    def __init__(self, html: str, action: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._action, self._inside = action, False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "form":
            self._inside = found.get("action") == self._action
        elif tag == "input" and self._inside and found.get("name"):
            self.fields[str(found["name"])] = found.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


class Browser:
    """One person's browser."""

    def __init__(self, inside: Inside, **headers: str) -> None:
        self._inside, self._headers = inside, headers
        self.cookies: dict[str, str] = {}

    def get(self, path: str, **more: str) -> httpx.Response:
        return self._ask("GET", path, more)

    def post(self, path: str, fields: dict[str, str], **more: str) -> httpx.Response:
        return self._ask("POST", path, {"content_type": FORM, **more}, content=urlencode(fields))

    def sign_in(self, key: str, next: str = "") -> httpx.Response:
        """Opens the sign-in page, pastes a key and sends the form."""
        page = self.get("/ui/sign-in" + (f"?next={next}" if next else ""))
        return self.post("/ui/sign-in", {**Form(page.text, "/ui/sign-in").fields, "key": key})

    def sign_out(self) -> httpx.Response:
        page = self.get("/ui/sign-in")
        return self.post("/ui/sign-out", Form(page.text, "/ui/sign-out").fields)

    @property
    def session(self) -> str | None:
        return self.cookies.get(SESSION)

    def _ask(self, method: str, path: str, more: dict[str, str], **body: Any) -> httpx.Response:
        headers = {**self._headers, **{name.replace("_", "-"): value for name, value in more.items()}}
        if self.cookies:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self._inside.client.request(method, path, headers=headers, **body)
        for line in answer.headers.get_list("set-cookie"):
            found = re.match(r"([^=]+)=([^;]*)(.*)", line)
            assert found is not None
            if "Max-Age=0" in found[3]:
                self.cookies.pop(found[1], None)
            else:
                self.cookies[found[1]] = found[2]
        return answer


def token_of(headers: dict[str, str]) -> str:
    """The key of `Inside.key`, as a person pastes it."""
    return headers["authorization"].removeprefix("Bearer ")
