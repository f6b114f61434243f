"""Tables as CSV lines: RFC 4180, missing is empty, and no cell is run by a spreadsheet."""

from __future__ import annotations

import pyarrow as pa

from serving.batch.csv_lines import header, lines


class TestLines:
    def test_texts_are_quoted_only_where_they_must_be(self) -> None:
        table = pa.table({"name": ["acme", 'a "b", c', "two\nlines", None], "n": [1, -2, None, 4]})
        assert lines(table) == (b'acme,1\n"a ""b"", c",-2\n"two\nlines",\n,4\n', 0)

    def test_a_formula_gets_a_quote_and_is_counted_and_a_number_in_a_text_is_left(self) -> None:
        table = pa.table({"name": ["=1+1", "-12.5", "@x"], "n": [-1.5, 0.25, None]})
        assert lines(table) == (b"'=1+1,-1.5\n-12.5,0.25\n'@x,\n", 2)

    def test_lists_and_structures_are_json(self) -> None:
        table = pa.table({"id": ["a", "b"], "why": [[{"k": "ü"}], None]})
        assert lines(table) == ('a,"[{""k"": ""ü""}]"\nb,\n'.encode(), 0)

    def test_a_missing_value_of_a_single_column_is_a_row_all_the_same(self) -> None:
        assert lines(pa.table({"x": ["a", None]})) == (b'a\n""\n', 0)

    def test_no_rows_are_no_lines(self) -> None:
        assert lines(pa.table({"x": pa.array([], pa.string())})) == (b"", 0)


def test_the_header_is_quoted_and_guarded_as_values_are() -> None:
    assert header(["id", "a,b", "=x"]) == b'id,"a,b",\'=x\n'
