"""Messages of errors: the value, the rule and the next step, all faults at once, excerpts apart from sentences."""

from __future__ import annotations

from features.kit.errors import BadInput, Fault, MissingExtra


def fault(where: str, excerpt: str = "") -> Fault:
    return Fault(where=where, found="it is null", rule="it has a value", next_step="fill it", excerpt=excerpt)


class TestFault:
    def test_it_reads_as_value_rule_and_next_step(self) -> None:
        assert str(fault("row 3")) == "row 3: it is null. Rule: it has a value. Next: fill it."


class TestBadInput:
    def test_all_faults_stand_in_one_message_each_on_a_line(self) -> None:
        error = BadInput("leads.csv", [fault("row 3"), fault("row 5")])
        assert str(error).splitlines() == ["leads.csv: 2 faults", f"  - {fault('row 3')}", f"  - {fault('row 5')}"]
        assert [each.where for each in error.faults] == ["row 3", "row 5"]

    def test_one_fault_is_no_plural(self) -> None:
        assert str(BadInput("leads.csv", [fault("row 3")])).startswith("leads.csv: 1 fault\n")

    def test_the_lines_of_an_excerpt_keep_their_blanks(self) -> None:
        """A caret stands under its place: these lines must not be wrapped."""
        error = BadInput("a source", [fault("a.sql", "3 | SELECT a, at\n  |           ^^")])
        lines = error.excerpt_lines()
        assert lines == {"      3 | SELECT a, at", "        |           ^^"}
        assert lines <= set(str(error).splitlines())


class TestMissingExtra:
    def test_it_names_the_line_to_type(self) -> None:
        assert str(MissingExtra("spark", "--engine spark")) == (
            "--engine spark needs the extra 'spark': pip install 'accountscore[spark]'"
        )
