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
