"""Reading a score request: strict, and with every fault at once."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving import strict_json
from serving.errors import Declined
from serving.problems import Problem, problem_of
from serving.scoring import request_parser as module
from serving.scoring.request_parser import MOST_FAULTS, MOST_FAULTS_OF_ALL, WrongRecord, bounded, parse  # type: ignore[attr-defined]
from serving.scoring.schemas import Record


def refused(body: bytes) -> Problem:
    with pytest.raises(Declined) as caught:
        parse(body)
    return problem_of(caught.value)


class TestParse:
    def test_a_valid_request_is_parsed(self) -> None:
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
    def test_a_repeated_json_key_is_400(self, body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "occurs twice" in refused(body).detail
        # The sabotaged twin: without the count of colons, one of the two values would silently win.
        monkeypatch.setattr(module, "_keys", lambda _request: body.count(b":"))
        parse(body)

    @pytest.mark.parametrize(
        ("content", "where"),
        [
            ([], "the body"),
            ({}, "key records"),
            ({"records": []}, "key records"),
            ({"records": [{}] * 1001}, "key records"),
            ({"records": [{}], "reasons": 21}, "key reasons"),
            ({"records": [{}], "reasons": True}, "key reasons"),
            ({"records": [{}], "reasons": 1.5}, "key reasons"),
            ({"records": [{}], "top": 1}, "key 'top'"),
        ],
    )
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
        assert isinstance(bad, WrongRecord)
        assert [f.where for f in bad.faults] == [
            "record 1, key 'color'",
            "record 1, entity_id",
            "record 1, value",
            "record 1, signal 'x'",
            "record 1, signal 'y'",
        ]
        assert isinstance(none, WrongRecord)
        assert all(f.rule and f.next_step and f.found for f in bad.faults)

    def test_an_id_with_a_null_character_is_an_error_of_its_record(self) -> None:
        records, _ = parse(b'{"records": [{"entity_id": "a\\u0000"}, {"entity_id": "b"}]}')  # Postgres cannot hold it
        assert isinstance(records[0], WrongRecord)
        assert records[1] == Record("b")

    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "entity_id": st.text(st.characters(exclude_characters="\x00"), min_size=1, max_size=5),
                    "signals": st.dictionaries(
                        st.text(max_size=4),
                        st.none()
                        | st.booleans()
                        | st.integers(-(2**63), 2**63)
                        | st.floats(allow_nan=False, allow_infinity=False)
                        | st.text(max_size=4),
                        max_size=4,
                    ),
                    "value": st.none() | st.floats(0, 1e12),
                },
            ),
            min_size=1,
            max_size=4,
        ),
        st.booleans(),
    )
    def test_every_good_request_is_read_as_it_is(self, records: list[dict[str, object]], escaped: bool) -> None:
        """Texts with colons, quotes and escapes must not look like keys that are there twice."""
        body = json.dumps({"records": records, "reasons": 2}, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
        try:
            body.decode()
        except UnicodeDecodeError:
            return
        if escaped and "\\ud" in body.decode():
            return  # half a surrogate pair is not text; msgspec refuses it
        found, reasons = parse(body)
        assert reasons == 2
        assert [msgspec.to_builtins(record) for record in found] == records
        assert module._one_by_one(body) == (found, reasons)  # as a large body is read


SHAPES: dict[str, object] = {
    "unknown keys": [{f"key_{i}": 1 for i in range(500)}],
    "lists in the place of values": [{"signals": {f"signal_{i}": [] for i in range(500)}}],
    "many records": [{"a": 1, "b": 2, "c": 3}] * 1000,
    "many records and keys": [{f"key_{i}": 1 for i in range(50)}] * 1000,
    "long names": [{"k" * 100_000: 1, "signals": {"s" * 100_000: []}}],
    "a long id": [{"entity_id": "i" * 100_000}],
}


class TestBounds:
    @pytest.mark.parametrize("kind", SHAPES)
    def test_an_error_is_not_much_larger_than_what_it_is_about(self, kind: str) -> None:
        records, _ = parse(json.dumps({"records": SHAPES[kind]}).encode())
        errors = bounded([record for record in records if isinstance(record, WrongRecord)])
        assert errors
        assert sum(len(error.faults) for error in errors) <= MOST_FAULTS_OF_ALL + 2 * len(errors)
        assert len(msgspec.json.encode(errors)) < 600_000

    def test_faults_that_are_not_listed_are_counted(self) -> None:
        records, _ = parse(json.dumps({"records": [{f"key_{i}": 1 for i in range(500)}]}).encode())
        (wrong,) = records
        assert isinstance(wrong, WrongRecord)
        (error,) = bounded([wrong])
        assert len(error.faults) == MOST_FAULTS + 1
        assert error.faults[-1].found == "480 more faults"
        assert error.faults[-1].where == "record 0, the rest"

    def test_faults_that_are_cut_twice_are_counted_right(self) -> None:
        records, _ = parse(json.dumps({"records": [{f"key_{i}": 1 for i in range(500)}] * 40}).encode())
        errors = bounded([record for record in records if isinstance(record, WrongRecord)])
        assert len(errors[-1].faults) == 2
        assert errors[-1].faults[-1].found == "499 more faults"

    def test_without_the_bounds_every_fault_is_listed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin."""
        monkeypatch.setattr(module, "MOST_FAULTS", 10**9)
        records, _ = parse(json.dumps({"records": SHAPES["many records and keys"]}).encode())
        assert sum(len(r.faults) for r in records if isinstance(r, WrongRecord)) == 50_000

    @pytest.mark.parametrize(
        "place", [b'"entity_id": "%s"', b'"signals": {"%s": 1}', b'"signals": {"a": "%s"}', b'"%s": 1']
    )
    @pytest.mark.parametrize("bad", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc0\x80"])
    def test_what_is_no_utf_8_is_400(self, place: bytes, bad: bytes) -> None:
        problem = refused(b'{"records": [{' + place % (b"x" + bad) + b"}]}")
        assert (problem.status, problem.code) == (400, "not_strict_json")

    @pytest.mark.parametrize(
        "deep", [b"[" * 100_000, b'{"records": ' + b"[" * 100_000, b'{"records":[{"signals":{"a":' + b'{"b":' * 50_000]
    )
    def test_what_is_nested_deeply_is_400(self, deep: bytes) -> None:
        assert refused(deep).status == 400

    def test_a_repeated_key_at_the_end_of_many_is_found_at_once(self) -> None:
        body = b'{"records": [{"signals": {' + b",".join(b'"s%d":1' % i for i in range(20_000)) + b', "s19999": 2}}]}'
        assert "'s19999' occurs twice" in refused(body).detail


LARGE = {
    "a good record beside": b'{"records": [{"entity_id": "a:b"}, {"signals": {%s}}]}'
    % b",".join(b'"s%d":1' % i for i in range(40_000)),
    "one key twice": b'{"records": [{"entity_id": "a:b"}, {"signals": {%s}}]}' % (b'"x":1,' * 60_000 + b'"x":2'),
    "one long name": b'{"records": [{"entity_id": "a:b"}, {"signals": {"%s": 1}}]}' % (b"n" * 300_000),
    "one long text": b'{"records": [{"entity_id": "a:b"}, {"signals": {"x": "%s"}}]}' % (b":" * 300_000),
    "unknown keys": b'{"records": [{"entity_id": "a:b"}, {%s}]}' % b",".join(b'"k%d":[]' % i for i in range(40_000)),
}
LARGE_WHOLE = {
    "many records": (422, b'{"records": [%s{}]}' % (b"{}," * 100_000)),
    "nested": (400, b'{"records": ' + b"[" * 300_000),
    "cut off": (400, b'{"records": [' + b"{}," * 100_000),
    "not UTF-8": (400, b'{"records": [{"entity_id": "%s"}]}' % (b"\xff" * 300_000)),
    "no records": (422, b'{"record": [%s{}]}' % (b"{}," * 100_000)),
    "records twice": (400, b'{"records": [{}], "records": [%s{}]}' % (b'{"entity_id": "a"},' * 900 + b" " * 300_000)),
    "a long key": (422, b'{"records": [{}], "%s": 1}' % (b"k" * 300_000)),
    "a list": (422, b"[%s1]" % (b"1," * 200_000)),
    "nothing": (400, b" " * 300_000),
    "many reasons": (400, b'{"records": [{}], "reasons": %s1}' % (b"1" * 300_000)),
    "a list of reasons": (400, b'{"records": [{}], "reasons": [%s1]}' % (b"1," * 200_000)),
}


class TestLarge:
    """What is read in one go stops everybody else meanwhile, so nothing large is."""

    @pytest.fixture
    def read(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """Bytes of each text that Python's own reader was given."""
        sizes: list[int] = []

        def loads(text: bytes) -> object:
            sizes.append(len(text))
            return strict_json.loads(text)

        monkeypatch.setattr(module, "loads", loads)
        return sizes

    @pytest.mark.parametrize("kind", LARGE)
    def test_a_record_that_is_too_large_is_an_error_of_its_own(self, kind: str, read: list[int]) -> None:
        records, _ = parse(LARGE[kind])
        assert records[0] == Record("a:b")
        assert isinstance(records[1], WrongRecord)
        (fault,) = records[1].faults
        assert "bytes" in fault.found
        assert max(read) < 100  # the one beside, for its colon

    @pytest.mark.parametrize("kind", LARGE_WHOLE)
    def test_a_large_malformed_body_is_refused(self, kind: str, read: list[int]) -> None:
        status, body = LARGE_WHOLE[kind]
        problem = refused(body)
        assert problem.status == status
        assert len(problem.body()) < 1_000
        assert max(read, default=0) <= module.LARGEST_RECORD

    def test_without_the_limit_they_are_read_in_one_go(self, read: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin."""
        limit = module.LARGEST_RECORD
        monkeypatch.setattr(module, "LARGEST_RECORD", 10**9)
        parse(LARGE["unknown keys"])
        assert max(read) > limit
