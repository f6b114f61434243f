"""Records and columns become the same numbers; what is wrong with a record is said all at once."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from features.kit.errors import BadInput
from models.scorer.encoder import MOST_FAULTS
from models.scorer.scorer import Scorer
from tests.kit.scorers import WORDS, make_signals, random_rows


class TestEncoding:
    def test_columns_and_records_agree(self, scorer: Scorer) -> None:
        import pyarrow as pa

        x, _ = random_rows(50, seed=3)
        names = [s.name for s in make_signals()]
        records = []
        for row in x:
            values = [None if np.isnan(v) else float(v) for v in row]
            words = [None if v is None else WORDS[int(v)] for v in values[-2:]]
            records.append(dict(zip(names, [*values[:-2], *words], strict=True)))
        columns = {name: pa.chunked_array([pa.array([r[name] for r in records])]) for name in names}
        encoded, faults, warnings = scorer.encode_records(records)
        assert not any(faults)
        assert np.array_equal(encoded, x, equal_nan=True)
        assert np.array_equal(scorer.encode(columns), x, equal_nan=True)
        assert not any("never seen" in w for ws in warnings for w in ws)

    def test_all_faults_of_a_record_at_once(self, scorer: Scorer) -> None:
        bad = {
            "number_0": "12",
            "number_1": float("nan"),
            "number_2": float("inf"),
            "word_0": 3,
            "colour": 1,
            "number_3": [1],
        }
        x, faults, _ = scorer.encode_records([{}, bad])
        assert [len(f) for f in faults] == [0, 6]
        assert np.isnan(x[1]).all()
        assert "record 1, signal number_0: a text. Rule: a number (count) or null." in str(faults[1][0])

    def test_of_many_faults_the_first_are_told_and_the_rest_counted(self, scorer: Scorer) -> None:
        bad = {"number_0": "12", **{f"colour_{i}" * 50: 1 for i in range(500)}}
        _, faults, _ = scorer.encode_records([bad])
        assert len(faults[0]) == MOST_FAULTS + 1
        assert faults[0][-1].found == "481 more faults"
        assert max(len(str(fault)) for fault in faults[0]) < 300

    def test_unseen_words_and_far_numbers_are_warned_of(self, scorer: Scorer) -> None:
        _, faults, warnings = scorer.encode_records([{"word_0": "omega", "number_0": 1e9}])
        assert not faults[0]
        assert len(warnings[0]) == 2

    def test_a_packed_record_is_the_record(self, scorer: Scorer) -> None:
        """What is absent stays absent and what is null stays null; numbers keep their kind."""
        for record in (
            {"word_0": "omega", "number_5": 1e300, "number_0": None, "number_2": True, "number_1": 2**60},
            {},
            dict.fromkeys(scorer.names),
        ):
            for _ in range(2):  # the second time its names are known
                kept = msgspec.json.decode(msgspec.json.encode(scorer.pack(record)))
                again = scorer.unpack(kept)
                assert again == record
                assert [type(again[name]) for name in record] == [type(value) for value in record.values()]

    def test_what_is_no_packed_record_of_it_is_refused(self, scorer: Scorer) -> None:
        for wrong in ([], [1], ["zz"], ["1"], ["1", 2, 3], [f"{1 << len(scorer.names):x}", 1]):
            with pytest.raises(ValueError):  # noqa: PT011  any of them
                scorer.unpack(wrong)

    def test_unknown_names_are_not_cached(self, scorer: Scorer) -> None:
        for i in range(3):
            _, faults, _ = scorer.encode_records([{f"stranger_{i}": 1, "number_0": 2.0}])
            assert len(faults[0]) == 1
            assert scorer.absent((f"stranger_{i}", "number_0")) == [n for n in sorted(scorer.names) if n != "number_0"]
        held = [*scorer._encoder._shapes, *scorer._encoder._absent, *scorer._encoder._packs]
        assert not any(name.startswith("stranger") for names in held for name in names)

    def test_a_column_that_is_missing(self, scorer: Scorer) -> None:
        with pytest.raises(BadInput, match="8 faults"):
            scorer.encode({})
