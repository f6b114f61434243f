"""The line to write that leaves a column out."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from features.audit.exclude_advice import LEFT_OUT, with_exclude
from features.audit.finding import Finding


class TestExclude:
    def test_codes_that_leave_out_are_those_whose_advice_says_so(self) -> None:
        """Read from the modules of the audit: a new finding that says "leave it out" must be in the list."""
        one = re.compile(r'Finding\(\s*"(\w+)"(?:(?!Finding\(|def |advice =).)*?leave it out', re.DOTALL)
        texts = [p.read_text() for p in Path("features/audit").glob("*.py") if p.name != "exclude_advice.py"]
        found = {code for text in texts for code in one.findall(text)}
        assert len(found) >= 8
        assert found <= LEFT_OUT

    def test_the_line_to_write_goes_by_the_code(self) -> None:
        said = Finding("constant", "low", ("plan",), "one value", "it says nothing")
        assert 'exclude=("plan",) in models/churn_risk.py' in with_exclude([said], "churn-risk", {"plan"})[0].advice
        other = replace(said, code="drift", advice="leave it out")
        assert with_exclude([other], "churn-risk", {"plan"}) == [other], "the twin: words alone decide nothing"
