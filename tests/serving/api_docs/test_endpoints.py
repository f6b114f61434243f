"""The page of the API comes from this server alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from serving import api_docs
from tests.kit.inside import Inside, running_inside


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with running_inside(tmp_path_factory.mktemp("browser")) as running:
        yield running


SHA256 = {
    "swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
    "swagger-ui.css": "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d",
    "LICENSE": "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
}
"""Of npm's swagger-ui-dist 5.35.0."""


class Page(HTMLParser):
    """What a page has that its content policy would block, or that comes from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._script = tag == "script"
        inline = [name for name in given if name.startswith("on") or name in ("style", "srcdoc")]
        for name in ("src", "href", "action", "data", "poster"):
            value = given.get(name)
            if value is not None and not re.match(r"/(?!/)|data:,", value):
                inline.append(f"{name}={value}")
        if tag in ("style", "iframe", "object", "embed", "base") or (tag == "script" and "src" not in given):
            inline.append(tag)
        self.found += [f"{tag}: {what}" for what in inline]

    def handle_data(self, data: str) -> None:
        if self._script and data.strip():
            self.found.append("script: content")
        self._script = False


def not_ours(text: str) -> list[str]:
    page = Page()
    page.feed(text)
    page.close()
    return page.found


@pytest.mark.parametrize(
    "more",
    [
        "<script>start()</script>",
        "<style>a{}</style>",
        '<p style="color:red">',
        '<body onload="start()">',
        '<script src="https://cdn.example/swagger-ui.js"></script>',
        '<script src="//cdn.example/swagger-ui.js"></script>',
        "<link rel=stylesheet href=HTTPS://cdn.example/a.css>",
        '<a href="javascript:start()">',
        '<base href="/x/">',
        '<script src="/docs/start.js">start()</script>',
        "<iframe srcdoc='x'></iframe>",
    ],
)
def test_inline_or_foreign_content_of_a_page_is_seen(inside: Inside, more: str) -> None:
    """The sabotaged twin."""
    page = inside.client.get("/docs").text
    assert not_ours(page.replace("</body>", f"{more}</body>")) != []


class TestDocs:
    def test_the_page_loads_nothing_from_elsewhere(self, inside: Inside) -> None:
        page = inside.client.get("/docs")
        assert page.headers["content-type"].startswith("text/html")
        assert not_ours(page.text) == []
        sources = re.findall(r'(?:src|href)="(/[^"]*)"', page.text)
        assert len(sources) >= 4
        for source in sources:
            assert inside.client.get(source).status_code == 200
        css = inside.client.get("/docs/swagger-ui.css").text
        assert "@import" not in css
        assert {found.lstrip("\"' ")[:5] for found in re.findall(r"url\((.{9})", css)} <= {"data:"}
        assert inside.client.get("/docs/../endpoints.py").status_code in (401, 404)
        assert inside.client.get("/docs/endpoints.py").status_code == 404
        assert inside.client.get("/redoc").status_code == 404

    def test_the_vendored_files_are_what_was_published(self) -> None:
        folder = Path(api_docs.__file__).parent / "swagger_ui"
        found = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in SHA256}
        assert found == SHA256
        assert "Apache License" in (folder / "LICENSE").read_text()
        assert (folder / "NOTICE").is_file()
