"""Cookies of signing in."""

from __future__ import annotations

import pytest

from serving.sign_in.cookies import SESSION, cookie_of, drop_cookie, set_cookie

VALUE = "x" * 43


def scope(*lines: str) -> dict[str, object]:
    return {"headers": [(b"cookie", line.encode("latin-1")) for line in lines]}


class TestCookieOf:
    def test_it_is_found_among_others(self) -> None:
        assert cookie_of(scope(f"a=b; {SESSION}={VALUE}; c"), SESSION) == VALUE

    @pytest.mark.parametrize(
        "lines",
        [
            [],
            [f"{SESSION}={VALUE}", f"{SESSION}={VALUE}"],
            [f"{SESSION}={VALUE}; {SESSION}={VALUE}"],
            [f"{SESSION}=short"],
            [f"{SESSION}={VALUE}é"],
            [f"{SESSION}={'x' * 5000}"],
            [f"accountscore={VALUE}"],
        ],
    )
    def test_one_that_is_absent_repeated_or_not_ours_is_none(self, lines: list[str]) -> None:
        assert cookie_of(scope(*lines), SESSION) is None


def test_every_cookie_is_of_this_host_secure_and_out_of_reach_of_scripts() -> None:
    for line in (set_cookie(SESSION, VALUE), drop_cookie(SESSION)):
        assert SESSION.startswith("__Host-")
        assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= set(line.split("; "))
        assert "Domain" not in line
