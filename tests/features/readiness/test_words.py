"""Words of a column that nobody understands are counted."""

from __future__ import annotations

from pathlib import Path

from tests.kit.checked import account, lines, query_of, wrapped
from tests.kit.company import at, make_source


class TestWords:
    def test_other_spellings_are_told_and_unknown_words_weaken(self, tmp_path: Path) -> None:
        rows = [
            {"account_id": "a", "event_time": at("2024-02-01"), "kind": word} for word in ("Call", "call", "fax", "fax")
        ]
        source = make_source(tmp_path, {"accounts": [account()], "touches": rows})
        (read,) = lines(source, "touches", "another spelling")
        assert (read.severity, read.rows, read.found) == ("info", 1, "'Call' as call (1)")
        (strange,) = lines(source, "touches", "its words are those")
        assert (strange.severity, strange.rows, strange.found) == ("weakens", 2, "'fax' (2)")
        assert "demo_request" in strange.needed
        source = wrapped(tmp_path, "touches", query_of(strange).replace("'...'", "'call'"))
        assert lines(source, "touches", "its words are those") == []
        assert source.query("SELECT DISTINCT kind FROM touches") == [("call",)]


class TestChannels:
    def test_a_channel_of_orders_is_read_as_the_word_of_the_field(self, tmp_path: Path) -> None:
        """Unknown ones are named and weaken nothing: no signal counts them."""
        of = {"account_id": "a", "event_time": at("2024-02-01"), "status": "Placed", "amount": 1.0}
        given = ("Trade Show", "tradeShow", "PPC", "EDI", None)
        rows = [of | {"order_id": f"o{n}", "channel": word} for n, word in enumerate(given)]
        source = make_source(tmp_path, {"accounts": [account()], "orders": rows})
        read = source.query("SELECT channel FROM orders ORDER BY order_id")
        assert [row[0] for row in read] == ["trade_show", "trade_show", "paid_search", "EDI", None]
        (line,) = lines(source, "orders", "those of the field")
        assert (line.severity, line.rows, line.found) == ("info", 1, "'EDI' (1)")

    def test_a_channel_of_accounts_stays_as_it_is_written(self, tmp_path: Path) -> None:
        """Models have learnt it as a category; words that are none of the field's are named all the same."""
        rows = [account("a", channel="Trade Show"), account("b", channel="fax"), account("c", channel="fax")]
        source = make_source(tmp_path, {"accounts": rows})
        assert source.query("SELECT channel FROM accounts ORDER BY account_id") == [("Trade Show",), ("fax",), ("fax",)]
        (line,) = lines(source, "accounts", "one of the field's words")
        assert (line.severity, line.rows, line.found) == ("info", 2, "'fax' (2)")
        assert "marketplace" in line.needed

    def test_the_channels_of_the_sample_company_are_words_of_the_field(self) -> None:
        from features.simulate.parameters import CHANNELS as OF_SAMPLE
        from features.sources.vocabularies import CHANNELS, word_in

        assert [name for name in OF_SAMPLE if word_in(CHANNELS, name) is None] == []
