"""Requests that are ready in the same turn of the event loop are scored together.

Under load several are: their rows share the calls of NumPy, each of which costs more than the arithmetic of one row, and each
of which may hand the interpreter to another thread. Nobody waits for a later request. Where decisions are recorded, those who
come during a commit could only be in the next one, and are scored together when that is due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from serving.champion import Champion
from serving.scoring.recorder import Recorder
from serving.scoring.request_parser import Parsed
from serving.scoring.service import ScoredRequest

Asked = tuple[Parsed, int]
"""The records of a request, and how many reasons are wanted of each."""
_Waiting = tuple[Champion, Asked, "asyncio.Future[ScoredRequest]"]


class Together:
    """On one event loop. `score` is given requests to one champion."""

    def __init__(
        self, score: Callable[[Champion, Sequence[Asked]], list[ScoredRequest]], recorder: Recorder | None = None
    ) -> None:
        self._score_all = score
        self._waiting: list[_Waiting] = []
        self._recorder = recorder
        if recorder is not None:
            recorder.coming = self

    def __len__(self) -> int:
        """How many wait to be scored."""
        return len(self._waiting)

    def score(self, champion: Champion, asked: Asked) -> asyncio.Future[ScoredRequest]:
        """Done when it is scored and, with a recorder, its decisions are recorded."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[ScoredRequest] = loop.create_future()
        held = self._recorder is not None and self._recorder.busy and not self._recorder.late
        if not self._waiting and not held:
            loop.call_soon(self.turn)
        self._waiting.append((champion, asked, done))
        if self._recorder is not None:
            self._recorder.one_more()
        return done

    def turn(self) -> None:
        """Score those who wait."""
        waiting, self._waiting = self._waiting, []
        # A swap may fall between two requests: each is answered by the champion that it began with.
        by_champion: dict[int, list[_Waiting]] = {}
        for one in waiting:
            by_champion.setdefault(id(one[0]), []).append(one)
        for group in by_champion.values():
            self._answer(group)

    def _answer(self, group: list[_Waiting]) -> None:
        try:
            scored = self._score_all(group[0][0], [asked for _, asked, _ in group])
        except Exception as error:  # whatever it is, it belongs to a request, whose caller must not wait for ever
            if len(group) > 1:  # what one request brought about does not spoil its neighbours
                for one in group:
                    self._answer([one])
            elif not group[0][2].done():
                group[0][2].set_exception(error)
            return
        for (_, _, done), found in zip(group, scored, strict=True):
            if self._recorder is not None and found.decisions:
                self._recorder.record(found, done)
            elif not done.done():  # else the request was cancelled
                done.set_result(found)
