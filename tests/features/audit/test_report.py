"""The audit as a person reads it, in a terminal of 80 columns."""

from __future__ import annotations

from features.audit.finding import Finding
from features.audit.report import WIDTH, report

FOUND = [
    Finding(
        "too_good",
        "high",
        ("stage",),
        "alone it ranks the outcome with an AUC of 0.950",
        "find out when it is filled in",
    ),
    Finding("copy_of_outcome", "high", ("note",), "alone it ranks the outcome with an AUC of 1.000", "leave it out"),
    Finding("named_as_later", "high", ("stage",), "its name speaks of a last state ('stage')", "leave it out"),
    Finding(
        "strong_alone",
        "medium",
        tuple(f"column_{n:03d}" for n in range(60)),
        "they rank it " + "very " * 40 + "well",
        "ask once",
    ),
    Finding("constant", "low", ("same",), "one value", "leave it out"),
]


class TestReport:
    def test_it_fits_80_columns_the_worst_first(self) -> None:
        text = report("leads.csv", FOUND, {"stage", "note", "same"})
        assert max(map(len, text.splitlines())) <= WIDTH
        assert text.index("HIGH") < text.index("MEDIUM") < text.index("Next")
        assert text.count("\n  stage\n") == 1, "one paragraph for all that is said of a column"

    def test_low_ones_are_counted_and_shown_when_asked_for(self) -> None:
        assert "one value" not in report("leads.csv", FOUND, set())
        assert "constant (1)" in report("leads.csv", FOUND, set())
        assert "one value" in report("leads.csv", FOUND, set(), verbose=True)

    def test_what_to_do_next_names_only_what_can_be_left_out(self) -> None:
        text = report("leads.csv", FOUND, {"stage"})
        assert "note" not in text[text.index("Next") :]
        assert "out of the table: stage\n" in text
        assert "--known-before" in text
        of_source = report("source crm", FOUND, {"stage"}, flat=False)
        assert 'exclude=("stage",)' in of_source
        assert "accepted_findings" in of_source

    def test_nothing_found_is_one_line(self) -> None:
        assert report("leads.csv", [], {"a"}) == "leads.csv: 0 high, 0 medium, 0 low"
