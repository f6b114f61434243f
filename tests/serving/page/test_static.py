"""The files of the page: those of this package and no others, unchanged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from serving.page.static import FOLDER, KINDS, address
from tests.kit.inside import Inside, running_inside

SHA256 = {
    "htmx.min.js": "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
    "LICENSE.htmx": "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38",
}
"""Of htmx.org 4.0.1 as npm has it."""


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with running_inside(tmp_path_factory.mktemp("static")) as found:
        yield found


@pytest.mark.parametrize("name", SHA256)
def test_what_is_not_ours_is_unchanged(name: str) -> None:
    assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == SHA256[name]


def test_every_file_of_the_folder_is_served_with_its_kind(inside: Inside) -> None:
    assert {each.name for each in FOLDER.iterdir()} == set(KINDS)
    for name, kind in KINDS.items():
        answer = inside.client.get(address(name))
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        assert answer.content == (FOLDER / name).read_bytes()


@pytest.mark.parametrize("name", ["look.py", "%2e%2e", "page.css.map", "PAGE.CSS"])
def test_nothing_else_is_served(inside: Inside, name: str) -> None:
    assert inside.client.get(f"/ui/static/{name}").status_code == 404


def test_the_style_asks_nobody_and_hides_nothing_from_the_keyboard() -> None:
    style = (FOLDER / "page.css").read_text()
    assert "url(" not in style
    assert "@import" not in style
    assert ":focus-visible" in style


@pytest.mark.parametrize(
    ("asked", "compressed"),
    [
        ("gzip, deflate, br", True),
        ("br;q=1.0, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.0, br", False),
        ("br", False),
        ("", False),
    ],
)
def test_a_browser_that_takes_gzip_gets_less(inside: Inside, asked: str, compressed: bool) -> None:
    """The content is the same, and what lies between knows that it depends on the header."""
    plain = (FOLDER / "page.css").read_bytes()
    answer = inside.client.get(address("page.css"), headers={"accept-encoding": asked})
    assert (answer.headers.get("content-encoding") == "gzip") == compressed
    assert answer.headers["vary"] == "accept-encoding"
    assert answer.content == plain
    assert (int(answer.headers["content-length"]) < len(plain) / 2) == compressed


def test_a_page_is_not_compressed(inside: Inside) -> None:
    """The size of a page with the token of its forms tells nobody what is in it."""
    answer = inside.client.get("/ui/churn-risk", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in answer.headers
