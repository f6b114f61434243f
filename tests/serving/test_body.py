"""Reading a score request: strict, and with every fault at once."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.problems import Problem
from serving.scoring import body as module
from serving.scoring.body import parse
from serving.scoring.schemas import Record, RecordError


def refused(body: bytes) -> Problem:
    with pytest.raises(Problem) as caught:
        parse(body)
    return caught.value


class TestParse:
    def test_a_good_one(self) -> None:
        records, reasons = parse(
            b'{"records": [{"entity_id": "a", "signals": {"x": 1, "y": "b:c", "z": null}}], "reasons": 3}'
        )
        assert reasons == 3
        assert records == [Record("a", {"x": 1, "y": "b:c", "z": None})]

    @pytest.mark.parametrize(
        "body",
        [
            b'{"records": [{"signals": {"x": NaN}}]}',
            b'{"records": [{"signals": {"x": Infinity}}]}',
            b'{"records": [{"signals": {"x": 1e999}}]}',
            b"",
            b"{",
            b"\xff",
            b'{"records": [{"signals": {"x": -Infinity}}]}',
        ],
    )
    def test_what_is_no_strict_json_is_400(self, body: bytes) -> None:
        assert (refused(body).status, refused(body).code) == (400, "not_strict_json")

    @pytest.mark.parametrize(
        "body",
        [
            b'{"records": [{"signals": {"x": 1, "x": 2}}]}',
            b'{"records": [{"signals": {"x": 1, "\\u0078": 2}}]}',
            b'{"records": [{"signals": {"x": "a:b", "x": 2}}]}',
            b'{"records": [{"signals": {"x": 1}, "signals": {"x": 2}}]}',
            b'{"records": [{"signals": {"x": 1}}], "reasons": 1, "reasons": 2}',
            b'{"records": [{"entity_id": "a", "entity_id": "b"}]}',
        ],
    )
    def test_a_key_that_is_there_twice_is_400(self, body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "there twice" in refused(body).detail
        # The sabotaged twin: without the count of colons, one of the two values would silently win.
        monkeypatch.setattr(module, "_keys", lambda _request: body.count(b":"))
        parse(body)

    @pytest.mark.parametrize(
        ("content", "where"),
        [
            ([], "the body"), ({}, "key records"), ({"records": []}, "key records"), ({"records": [{}] * 1001}, "key records"),
            ({"records": [{}], "reasons": 21}, "key reasons"), ({"records": [{}], "reasons": True}, "key reasons"),
            ({"records": [{}], "reasons": 1.5}, "key reasons"), ({"records": [{}], "top": 1}, "key 'top'"),
        ],
    )  # fmt: skip
    def test_a_wrong_shape_is_422_and_says_where(self, content: object, where: str) -> None:
        problem = refused(json.dumps(content).encode())
        assert problem.status == 422
        assert problem.detail.startswith(where)

    def test_one_bad_record_does_not_spoil_the_others_and_has_all_its_faults(self) -> None:
        records, _ = parse(
            b'{"records": [{"signals": {"x": 1}}, {"entity_id": 7, "signals": {"x": [1], "y": {}}, "color": 1, "value": -1}, 5]}'
        )
        good, bad, none = records
        assert good == Record(signals={"x": 1})
        assert isinstance(bad, RecordError)
        assert [f.where for f in bad.faults] == [
            "record 1, key 'color'",
            "record 1, entity_id",
            "record 1, value",
            "record 1, signal 'x'",
            "record 1, signal 'y'",
        ]
        assert isinstance(none, RecordError)
        assert all(f.rule and f.next_step and f.found for f in bad.faults)

    def test_an_id_with_a_null_character_is_an_error_of_its_record(self) -> None:
        records, _ = parse(b'{"records": [{"entity_id": "a\\u0000"}, {"entity_id": "b"}]}')  # Postgres cannot hold it
        assert isinstance(records[0], RecordError)
        assert records[1] == Record("b")

    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "entity_id": st.text(st.characters(exclude_characters="\x00"), min_size=1, max_size=5),
                    "signals": st.dictionaries(st.text(max_size=4), st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4), max_size=4),
                    "value": st.none() | st.floats(0, 1e12),
                },
            ),
            min_size=1, max_size=4,
        ),
        st.booleans(),
    )  # fmt: skip
    def test_every_good_request_is_read_as_it_is(self, records: list[dict[str, object]], escaped: bool) -> None:
        """Texts with colons, quotes and escapes must not look like keys that are there twice."""
        body = json.dumps({"records": records, "reasons": 2}, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
        try:
            body.decode()
        except UnicodeDecodeError:
            return
        if escaped and "\\ud" in body.decode():
            return  # half a surrogate pair is no text; msgspec refuses it
        found, reasons = parse(body)
        assert reasons == 2
        assert [msgspec.to_builtins(record) for record in found] == records
