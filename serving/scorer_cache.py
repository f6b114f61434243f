"""Loads the scorers that decision records refer to, and keeps the last few in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from models.champion_pointer import kept
from models.scorer.artefact import ScorerRefused
from models.scorer.scorer import Scorer
from serving.errors import ServingError

HELD = 4
"""Scorers kept in memory; one is about 10 MB and takes a fifth of a second to verify."""


class ScorerGone(ServingError):
    """Raised when the scorer of a record is no longer in the home, or is damaged."""


class KeptScorers:
    """Safe to use from threads."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._held: OrderedDict[tuple[str, str], Scorer] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, model: str, sha256: str) -> Scorer:
        """The verified scorer of a model by its sha256. Raises `ScorerGone`."""
        with self._lock:
            found = self._held.get((model, sha256))
            if found is None:
                found = self._load(model, sha256)
            self._held[model, sha256] = found
            self._held.move_to_end((model, sha256))
            while len(self._held) > HELD:
                self._held.popitem(last=False)
            return found

    def _load(self, model: str, sha256: str) -> Scorer:
        path = kept(self._home, model, sha256)
        if path is None:
            raise ScorerGone(f"the scorer {sha256[:16]} of {model} is not in the home any more")
        try:
            scorer = Scorer.load(path)
        except ScorerRefused as error:
            raise ScorerGone(f"the scorer {sha256[:16]} of {model} is damaged: {error.why}") from None
        if scorer.sha256 != sha256:
            raise ScorerGone(f"the scorer {sha256[:16]} of {model} is not what it was")
        return scorer
