"""A note is read, or every fault that it has is told at once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from features.kit.clock import SKEW_US, from_us, iso, to_us
from serving.errors import Conflict, Invalid, Malformed, NotFound
from serving.notes.repository import Note
from serving.notes.request import Asked, read_many, read_one
from serving.notes.schemas import MAX_NOTES, NoteError
from tests.kit.company import at

NOW = to_us(at("2026-03-01T06:00:00"))
OUTCOME, ACTION = Asked("outcome", "account", NOW), Asked("action", "lead", NOW)
GOOD = {"outcome": "churned", "when": "2026-02-27", "source": "customer-success"}


def body(content: Any) -> bytes:
    return json.dumps(content).encode()


def one(**changed: Any) -> Note:
    return read_one(OUTCOME, "acme", body({k: v for k, v in {**GOOD, **changed}.items() if v is not ...}))


class TestOne:
    def test_a_good_one(self) -> None:
        note = one(note="They said so.")
        assert (note.entity, note.entity_id, note.kind, note.word) == ("account", "acme", "outcome", "churned")
        assert (note.event_at, note.known_at) == (to_us(at("2026-02-27")), NOW)
        assert (note.source, note.note) == ("customer-success", "They said so.")

    def test_words_of_an_action_are_free(self) -> None:
        asked = {"action": "lunch", "when": "2026-02-27T12:00:00+01:00", "source": "sales"}
        note = read_one(ACTION, "l1", body(asked))
        assert (note.word, note.event_at) == ("lunch", to_us(at("2026-02-27T11:00:00")))

    def test_a_clock_that_is_a_little_ahead_is_forgiven(self) -> None:
        assert one(when=iso(from_us(NOW + SKEW_US))).event_at == NOW
        with pytest.raises(Conflict, match="at most 5 minutes after the clock, which is at 2026-03-01T06:00:00Z"):
            one(when=iso(from_us(NOW + SKEW_US + 1)))

    @pytest.mark.parametrize(
        "changed",
        [
            {"outcome": ["churned"]},
            {"outcome": ...},
            {"when": "soon"},
            {"when": 5},
            {"when": ...},
            {"when": "0001-01-01T00:00:00+23:59"},
            {"source": ""},
            {"source": "x" * 101},
            {"source": ...},
            {"note": "x" * 1001},
            {"note": 5},
            {"note": "a\x00b"},
            {"key": ""},
            {"key": "k" * 201},
            {"entity_id": "acme"},
            {"action": "call"},
        ],
    )
    def test_what_does_not_fit_is_one_fault(self, changed: dict[str, Any]) -> None:
        with pytest.raises(Invalid) as refused:
            one(**changed)
        assert (refused.value.code, len(refused.value.more["faults"])) == ("bad_note", 1)

    def test_a_word_of_another_entity(self) -> None:
        with pytest.raises(NotFound, match="one of churned: what can be told of accounts"):
            one(outcome="won")
        with pytest.raises(Invalid, match=r"churned.*something else"):
            one(outcome="won", when="soon")

    def test_all_faults_are_told_at_once_and_no_text_is_repeated(self) -> None:
        with pytest.raises(Invalid) as refused:
            one(outcome="canary", when="canary", source="canary" * 20, note="canary" * 200, color="canary")
        assert len(refused.value.more["faults"]) == 5
        assert "canary" not in str(refused.value)

    def test_what_is_no_json_object_is_refused(self) -> None:
        for wrong in (b"{", b'{"when": 1, "when": 2}', b""):
            with pytest.raises(Malformed):
                read_one(OUTCOME, "acme", wrong)
        with pytest.raises(Invalid, match="an object"):
            read_one(OUTCOME, "acme", b"[]")


class TestMany:
    def test_a_bad_one_does_not_stop_the_others(self) -> None:
        found = read_many(OUTCOME, body({"notes": [{**GOOD, "entity_id": "a"}, {**GOOD, "entity_id": ""}, 5]}))
        assert isinstance(found[0], Note)
        errors = [each for each in found[1:] if isinstance(each, NoteError)]
        assert [(error.index, error.entity_id) for error in errors] == [(1, None), (2, None)]
        assert errors[0].faults[0].where == "note 1, entity_id"

    def test_one_too_many_is_refused_whole(self) -> None:
        notes = [{**GOOD, "entity_id": "a"}] * MAX_NOTES
        assert len(read_many(OUTCOME, body({"notes": notes}))) == MAX_NOTES
        with pytest.raises(Invalid, match=r"a list of 1,001.*1 to 1,000 notes.*none of these was stored"):
            read_many(OUTCOME, body({"notes": [*notes, notes[0]]}))

    @pytest.mark.parametrize("wrong", [{"notes": []}, {"notes": {}}, {}, {"notes": [GOOD], "more": 1}, []])
    def test_another_shape_is_refused_whole(self, wrong: Any) -> None:
        with pytest.raises(Invalid) as refused:
            read_many(OUTCOME, body(wrong))
        assert refused.value.code == "wrong_shape"
