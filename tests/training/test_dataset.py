"""Labelled rows as one matrix: words as codes of a vocabulary that only the rows learnt from make."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from features.signals.signal import Phrase, Signal
from training.dataset import Rows, make_rows


def signal(name: str, unit: str = "points") -> Signal:
    return Signal(name, "custom", unit, "before as_of", "not known", name, Phrase("{value}"))  # type: ignore[arg-type]


def rows() -> Rows:
    """Twelve rows, of which the first ten are learnt from: a number, a word, and three columns that tell nothing there."""
    words = ["pro"] * 5 + ["free"] * 4 + ["pro", "gold", None]
    columns = {
        "size": pa.chunked_array([pa.array([float(n) for n in range(11)] + [None])]),
        "plan": pa.chunked_array([pa.array(words)]),
        "same": pa.chunked_array([pa.array([1.0] * 10 + [2.0, 3.0])]),
        "empty": pa.chunked_array([pa.nulls(12, pa.float64())]),
        "rare": pa.chunked_array([pa.array(["x"] * 12)]),
    }
    return make_rows(
        [signal("size"), signal("plan", "category"), signal("same"), signal("empty"), signal("rare", "category")],
        columns,
        np.arange(12) % 2,
        time=np.arange(12),
        group=np.arange(12) // 2,
        learnt_from=np.arange(12) < 10,
    )


class TestMakeRows:
    def test_a_column_with_one_value_among_the_rows_learnt_from_is_left_out(self) -> None:
        assert [s.name for s in rows().signals] == ["size", "plan"]

    def test_words_are_codes_and_one_that_was_not_learnt_is_any_other(self) -> None:
        found = rows()
        # Six times pro; free four times, which is fewer than the five that a word needs.
        assert found.vocabularies == (None, ("pro",))
        assert found.x[:, 1].tolist()[:11] == [0.0] * 5 + [1.0] * 4 + [0.0, 1.0]
        assert np.isnan(found.x[11]).all(), "missing stays missing"
        assert found.categories == [1]

    def test_what_is_not_given_is_not_known(self) -> None:
        found = rows()
        assert np.isnan(found.value).all()
        assert found.entity_id.tolist() == [str(n) for n in range(12)]
        assert found.y.dtype == np.float64

    def test_no_signal_at_all_keeps_the_rows(self) -> None:
        found = make_rows([], {}, np.zeros(3), time=None, group=np.arange(3))
        assert found.x.shape == (3, 0)
        assert len(found) == 3


class TestParts:
    def test_take_keeps_every_column_of_a_row_together(self) -> None:
        part = rows().take(np.array([4, 1]))
        assert part.x[:, 0].tolist() == [4.0, 1.0]
        assert (part.y.tolist(), part.group.tolist(), part.entity_id.tolist()) == ([0.0, 1.0], [2, 0], ["4", "1"])
        assert part.time is not None
        assert part.time.tolist() == [4, 1]

    def test_keep_takes_signals_with_their_words(self) -> None:
        part = rows().keep(np.array([1]))
        assert [s.name for s in part.signals] == ["plan"]
        assert part.vocabularies == (("pro",),)
        assert part.x.shape == (12, 1)
