"""Sentences after the number one."""

from __future__ import annotations

import pytest

from models.scorer.sentences import one_of


class TestOneOf:
    @pytest.mark.parametrize(
        ("plural", "single"),
        [
            ("They last made contact 1 days ago.", "They last made contact 1 day ago."),
            ("1 of 1 people were there.", "1 of 1 person was there."),
            ("There were 1 calls and meetings.", "There were 1 calls and meetings."),
            ("There were 21 visits in 28 days.", "There were 21 visits in 28 days."),
            ("The 1 business is.", "The 1 business is."),
            ("A volume of 1 was processed.", "A volume of 1 was processed."),
            ("1 deals with them are open.", "1 deal with them is open."),
        ],
    )
    def test_the_singular_follows_a_lone_1(self, plural: str, single: str) -> None:
        assert one_of(plural) == single
