"""Scores requests together that arrive in the same turn of the event loop.

Under load their rows share the NumPy calls, each of which costs more than the arithmetic of one row and may hand the
interpreter to another thread. No request waits for a later one. Requests that come during a commit can only join the
next commit, and are scored together just before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from serving.champion import Champion
from serving.scoring.recorder import Recorder
from serving.scoring.request_parser import Parsed
from serving.scoring.service import ScoredRequest

Asked = tuple[Parsed, int]
"""Records of a request, and how many reasons each gets."""
_Waiting = tuple[Champion, Asked, "asyncio.Future[ScoredRequest]"]


class Together:
    """Micro-batching on one event loop. All requests of a call to `score` are for one champion."""

    def __init__(
        self, score: Callable[[Champion, Sequence[Asked]], list[ScoredRequest]], recorder: Recorder | None = None
    ) -> None:
        self._score_all = score
        self._waiting: list[_Waiting] = []
        self._recorder = recorder
        if recorder is not None:
            recorder.coming = self

    def __len__(self) -> int:
        """Number of requests that wait to be scored."""
        return len(self._waiting)

    def score(self, champion: Champion, asked: Asked) -> asyncio.Future[ScoredRequest]:
        """Resolves when the request is scored and, with a recorder, its decisions are recorded."""
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
        """Scores the requests that wait."""
        waiting, self._waiting = self._waiting, []
        # A champion may be swapped between two requests: each keeps the one that it began with.
        by_champion: dict[int, list[_Waiting]] = {}
        for one in waiting:
            by_champion.setdefault(id(one[0]), []).append(one)
        for group in by_champion.values():
            self._answer(group)

    def _answer(self, group: list[_Waiting]) -> None:
        try:
            scored = self._score_all(group[0][0], [asked for _, asked, _ in group])
        except Exception as error:  # any error belongs to one request, whose caller must get it
            if len(group) > 1:  # the error of one request does not fail its neighbours
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
