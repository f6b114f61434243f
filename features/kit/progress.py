"""Progress of long work on stderr: a bar on a terminal, a line every 10 seconds in a pipe."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

EVERY_SECONDS = 10.0
TOLD_FROM = 0.02
"""Below this share of the work no remaining time is estimated."""

Progress = Callable[[str, float], None]
"""Callback: what is being done, and the share of the whole that is done, 0 to 1."""


@contextmanager
def progress(stream: TextIO | None = None, every_seconds: float = EVERY_SECONDS) -> Iterator[Progress]:
    """Yield a callback that shows the progress until the block ends. A bar is then removed from the screen."""
    out = sys.stderr if stream is None else stream
    with _bar(out) if out.isatty() else _lines(out, every_seconds) as told:
        yield told


def left(seconds: float, share: float, still: float = 0.0) -> str:
    """The share that is done, and the remaining time at the pace so far; "" when it is too early to estimate.

    still : seconds since the share last grew. They are taken off the estimate of that moment, which would otherwise rise
        all through a long step; when none of it is left, no time is named.

    >>> left(30, 0.25), left(600, 0.5), left(5, 0.0)
    ('25 %, about 90 s left', '50 %, about 10 min left', '')
    >>> left(40, 0.25, still=10), left(130, 0.25, still=100)
    ('25 %, about 80 s left', '25 %')
    """
    if share < TOLD_FROM:
        return ""
    rest = (seconds - still) * (1 - share) / share - still
    return (f"{share:.0%}, about {_span(rest)} left" if rest >= 1 or not still else f"{share:.0%}").replace(
        "%", " %", 1
    )


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds <= 90 else f"{seconds / 60:.0f} min"


@contextmanager
def _lines(out: TextIO, every_seconds: float) -> Iterator[Progress]:
    """Writes the lines from a thread, because a long step does not call back while it runs."""
    began, over = time.monotonic(), threading.Event()
    last = ("starting", 0.0, began)

    def told(text: str, share: float) -> None:
        nonlocal last
        share = min(max(share, 0.0), 1.0)
        last = (text, share, last[2] if share == last[1] else time.monotonic())

    def run() -> None:
        while not over.wait(every_seconds):
            (text, share, grew), clock = last, time.monotonic()
            seconds = clock - began
            rest = left(seconds, share, max(0.0, clock - grew))
            print(", ".join([text, *([rest] if rest else []), f"{_span(seconds)} so far"]), file=out, flush=True)

    thread = threading.Thread(target=run, name="progress", daemon=True)
    thread.start()
    try:
        yield told
    finally:
        over.set()
        thread.join(1.0)  # it may be writing to a pipe that nobody reads; it is a daemon


@contextmanager
def _bar(out: TextIO) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, ProgressColumn, Task, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar
    from rich.text import Text

    last = (0.0, 0.0)  # a share, and the seconds when it was first shown

    class Left(ProgressColumn):
        def render(self, task: Task) -> Text:
            nonlocal last
            seconds, share = task.elapsed or 0.0, task.percentage / 100
            last = last if share == last[0] else (share, seconds)
            return Text(left(seconds, share, seconds - last[1]))

    columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=20), TimeElapsedColumn(), Left())
    with Bar(*columns, console=Console(file=out), transient=True) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda text, share: bar.update(task, description=text, completed=share)
