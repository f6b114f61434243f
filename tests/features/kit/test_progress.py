"""Long work is told of: a bar on a terminal, a line from time to time in a pipe, and nothing of either on stdout."""

from __future__ import annotations

import io
import re
import threading
import time

from features.kit.progress import progress


class Pipe(io.StringIO):
    """A stream that says when so many lines have come."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self.enough = threading.Event()
        self._lines = lines

    def flush(self) -> None:
        if self.getvalue().count("\n") >= self._lines:
            self.enough.set()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestPipe:
    def test_a_long_step_that_says_nothing_is_told_of_again_and_again(self) -> None:
        out = Pipe(3)
        with progress(out, every_seconds=0.01) as tell:
            tell("trees", 0.5)
            assert out.enough.wait(30)
        last = out.getvalue().splitlines()[-1]
        assert last.startswith("trees, 50 %, ")
        assert last.endswith(" s so far")

    def test_the_time_that_is_left_does_not_rise_while_a_step_goes_on(self) -> None:
        out = Pipe(4)
        with progress(out, every_seconds=0.3) as tell:
            time.sleep(2)  # so that whole seconds are named
            tell("trees", 0.2)
            assert out.enough.wait(30)
            tell("judging", 0.2)  # nothing grew
            time.sleep(2)
        said = [re.search(r"about (\d+) s left", line) for line in out.getvalue().splitlines()]
        named = [int(found[1]) for found in said if found]
        assert named == sorted(named, reverse=True)
        assert named[-1] < named[0]

    def test_short_work_says_nothing(self) -> None:
        out = Pipe(1)
        with progress(out, every_seconds=60) as tell:
            tell("trees", 0.5)
        assert out.getvalue() == ""


def test_a_terminal_has_a_bar_with_what_is_left() -> None:
    out = Terminal()
    with progress(out) as tell:
        tell("trees [of 3]", 0.5)
    assert "trees [of 3]" in out.getvalue()
    assert "50 %, about" in out.getvalue()
