"""JSON as its standard means it."""

from __future__ import annotations

import pytest

from serving.strict_json import MOST_DIGITS, DuplicateKey, NotStrict, loads


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "it is empty"),
        (b"[NaN]", "NaN is not a JSON number"),
        (b"[-Infinity]", "-Infinity is not a JSON number"),
        (b"[1e999]", "beyond the range of float64"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "the key 'c' occurs twice"),
        (b"[\xff]", "not UTF-8"),
        (b'["\\ud800"]', "half a surrogate pair"),
        (b"[1,]", "at line 1, column"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" + b"1" * 5_000 + b"]", "too many digits"),
    ],
)
def test_what_is_no_strict_json_is_refused_and_says_what(body: bytes, said: str) -> None:
    with pytest.raises(NotStrict, match=said):
        loads(body)


def test_strict_json_is_read_as_it_is() -> None:
    assert loads(b'{"a": [1, -2.5e3, null, true, "\\ud83d\\ude00"]}') == {"a": [1, -2500.0, None, True, "\U0001f600"]}


class TestTolerant:
    """One item must not lose the others of its list."""

    def test_a_number_that_nothing_holds_stays_the_text_that_it_is(self) -> None:
        long = b"7" * (MOST_DIGITS + 1)
        assert loads(b"[1e999, " + long + b", 7]", tolerant=True) == ["1e999", long.decode(), 7]

    def test_half_a_surrogate_pair_stays_in_its_text(self) -> None:
        assert loads(b'["\\ud800", "b"]', tolerant=True) == ["\ud800", "b"]

    def test_what_no_item_alone_can_refuse_is_refused_all_the_same(self) -> None:
        for body in (b"[NaN]", b'[{"a": 1, "a": 2}]', b"[1"):
            with pytest.raises((NotStrict, DuplicateKey)):
                loads(body, tolerant=True)
