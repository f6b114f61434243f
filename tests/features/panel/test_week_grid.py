"""The lattice of weeks: which week lies in which window, and how weeks become bits of a word."""

from __future__ import annotations

import narwhals as nw
import pyarrow as pa
import pytest

from features.kit.clock import WEEK_US
from features.panel.week_grid import Lattice, bit_patterns, in_window, lattices, low_bits, within

DAY = WEEK_US // 7


class TestLattice:
    def test_an_as_of_has_its_twelve_weeks_the_newest_at_age_0(self) -> None:
        lattice = Lattice((20 * WEEK_US + DAY,))
        reach = lattice.reach()
        assert lattice.anchor == DAY
        assert reach["week"] == list(range(19, 7, -1))
        assert reach["age"] == list(range(12))
        assert reach["slope"] == list(range(11, -1, -1)), "the newest week weighs most"
        assert (reach["bit"][0], reach["bit"][11]) == (2**11, 1)

    def test_an_event_a_moment_before_as_of_lies_in_its_newest_week_and_one_at_it_in_none(self) -> None:
        as_of = 20 * WEEK_US + DAY
        lattice = Lattice((as_of,))
        assert lattice.number(as_of - 1) == lattice.reach()["week"][0]
        assert lattice.number(as_of) not in lattice.reach()["week"]

    def test_near_as_ofs_share_a_word_and_far_ones_have_words_of_their_own(self) -> None:
        first = 100 * WEEK_US
        assert Lattice((first, first + 4 * WEEK_US)).words() == {0: 88}
        # 41 weeks later the twelve weeks begin 41 bits into the first word, and one of them lies in the next.
        later = Lattice((first, first + 41 * WEEK_US))
        assert later.words() == {0: 88, 1: 140}
        assert later.epochs()["rest"] == [1, 2]
        assert later.epochs()["divisor"] == [1, 2**41]
        assert Lattice((first, first + 104 * WEEK_US)).words() == {0: 88, 2: 192}

    def test_as_ofs_that_are_no_whole_weeks_apart_have_lattices_of_their_own(self) -> None:
        found = lattices([3 * WEEK_US, WEEK_US, WEEK_US + 1, WEEK_US])
        assert [lattice.as_ofs for lattice in found] == [(WEEK_US, 3 * WEEK_US), (WEEK_US + 1,)]


class TestBits:
    @pytest.mark.parametrize("worth", [1, 2, 8])
    def test_low_bits_are_the_remainder(self, worth: int) -> None:
        frame = nw.from_native(pa.table({"word": [0, 1, 7, 8, 13]}))
        found = frame.select(low=low_bits(nw.col("word"), worth)).to_native()["low"].to_pylist()
        assert found == [word % worth for word in (0, 1, 7, 8, 13)]

    def test_a_pattern_says_whether_a_bit_is_set_or_how_many(self) -> None:
        found = bit_patterns("bits", 3, {"some": (1, 3, False), "many": (0, 3, True)})
        assert list(found["bits"]) == list(range(8))
        assert list(found["some"]) == [0, 0, 1, 1, 1, 1, 1, 1]
        assert list(found["many"]) == [0, 1, 1, 2, 1, 2, 2, 3]


def test_a_window_is_half_open_in_weeks_of_age() -> None:
    frame = nw.from_native(pa.table({"age": [3, 4, 7, 8], "n": [5, 5, 5, 5]}))
    found = frame.select(inside=in_window((4, 8)), counted=within((4, 8), nw.col("n"))).to_native().to_pydict()
    assert found == {"inside": [False, True, True, False], "counted": [0, 5, 5, 0]}
