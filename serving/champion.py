"""Live models: loads each from its pointer file, verifies it, swaps it between requests, and keeps the last good one."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from features.kit.clock import system_now
from features.kit.errors import AccountscoreError
from models.catalog import MODELS, get_model
from models.champion_pointer import Pointer, read_copy, read_pointer
from models.definition import Model
from models.population import Population
from models.scorer.scorer import Scorer
from models.scorer.verdict import require_not_refused
from serving import registry_heartbeat
from serving.errors import NotLive, ServingError, no_such
from serving.metrics import Metrics
from serving.registry_heartbeat import Confirmed

log = logging.getLogger("serving.champion")
WATCH_SECONDS = 0.5
"""Seconds between two looks at the pointer files; a look reads one small file per model."""


class Refused(ServingError):
    """Raised when a scorer must not serve; the message says why."""


@dataclass(frozen=True)
class Champion:
    """One verified scorer and where it came from. A request uses one of these from its start to its end."""

    definition: Model
    pointer: Pointer
    scorer: Scorer

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def entity(self) -> str:
        return self.definition.entity

    @property
    def horizon_days(self) -> int:
        return self.definition.horizon_days

    @property
    def population(self) -> Population:
        """The population that this version learnt from. The model's file may have changed since; that counts for the
        next version.
        """
        return self.scorer.spec.narrowed

    @cached_property
    def aside(self) -> frozenset[str]:
        """Signals that only the population reads; they are no input of the scorer."""
        return frozenset(self.population.signals) - self.inputs

    @cached_property
    def inputs(self) -> frozenset[str]:
        """Signals that the scorer reads."""
        return frozenset(self.scorer.names)

    @property
    def version(self) -> int | None:
        return self.pointer.version

    @property
    def sha256(self) -> str:
        return self.scorer.sha256

    @cached_property
    def scorer_name(self) -> str:
        return f"sha256:{self.sha256}"


@dataclass(frozen=True)
class Status:
    """State of one model in this process."""

    serves: Champion | None = None
    refused: str | None = None
    """Why the newest pointer was refused; None when it was not."""
    seen: Pointer | None = None


class Champions:
    """Holds the live models by name. `refresh` may run on a thread; a reader gets the old model or the new one, never
    a mix.
    """

    def __init__(self, home: Path, metrics: Metrics | None = None) -> None:
        self.home = home
        self._metrics = metrics
        self._statuses: dict[str, Status] = {name: Status() for name in MODELS}
        self._confirmed = {name: Confirmed() for name in MODELS}

    def definition(self, name: str) -> Model:
        """Returns a model's definition by its name, with hyphens or underscores. Raises `NotFound`, which lists the
        choices.
        """
        try:
            return get_model(name)
        except AccountscoreError:
            raise no_such("model", sorted(MODELS)) from None

    def definitions(self) -> list[Model]:
        return [get_model(name) for name in MODELS]

    def present(self, name: str) -> Champion | None:
        return self._statuses[name].serves

    def live(self) -> list[Champion]:
        """The live models."""
        return [s.serves for s in self._statuses.values() if s.serves]

    def of_entity(self, entity: str) -> list[Champion]:
        """The live models that score this kind of entity."""
        return [s.serves for s in self._statuses.values() if s.serves and s.serves.entity == entity]

    def get(self, name: str) -> Champion:
        """Returns the live model. Raises `NotFound` for an unknown name and `NotLive` when no version is live."""
        status = self._statuses.get(name)
        if status is None:
            status = self._statuses[self.definition(name).name]
        if status.serves is None:
            why = f": {status.refused}" if status.refused else f": run python -m training promote {name}"
            raise NotLive("no_model", f"no verified model {name!r} is live{why}")
        return status.serves

    def refresh(self) -> None:
        self._take_new()
        now = system_now()
        for name, status in self._statuses.items():
            self._confirmed[name] = found = registry_heartbeat.read(self.home, name)
            age = found.age_seconds(status.serves.pointer.promoted_at if status.serves else None, now)
            if self._metrics and age is not None:
                self._metrics.confirmed_age.labels(name).set(age)

    def _take_new(self) -> None:
        """Reads the pointers, loads new scorers beside the live ones, and swaps. A refused scorer changes only the
        reason, and is not tried again until its pointer changes.
        """
        for name, status in self._statuses.items():
            try:
                pointer = read_pointer(self.home, name)
            except (AccountscoreError, OSError, ValueError) as error:
                why = f"its pointer cannot be read: {error}"
                self._refuse(name, status, None, why)
                if status.serves is None and status.refused != why:
                    self._take_copy(name)
                continue
            if pointer is None or pointer == status.seen:
                continue
            try:
                champion = load(name, pointer)
            except (AccountscoreError, OSError, ValueError) as error:
                self._refuse(name, status, pointer, str(error))
                if status.serves is None:
                    self._fall_back(name, pointer)
                continue
            self._statuses[name] = Status(champion, None, pointer)
            log.info("champion.taken model=%s version=%s scorer=%s", name, pointer.version, champion.sha256[:16])
            self._count(name, "taken")
            if champion.population != champion.definition.population:
                log.warning(
                    "champion.other_population model=%s version=%s live=%s file=%s next=python -m training fit %s",
                    name,
                    pointer.version,
                    champion.population,
                    champion.definition.population,
                    name,
                )

    def _take_copy(self, name: str) -> None:
        """Loads the copy of a damaged pointer at the start: what it said before is the last good model."""
        copy = read_copy(self.home, name)
        if copy is None:
            return
        try:
            champion = load(name, copy)
        except (AccountscoreError, OSError, ValueError) as error:
            log.error("champion.copy_refused model=%s version=%s why=%s", name, copy.version, error)
            self._fall_back(name, copy)
            return
        self._statuses[name] = replace(self._statuses[name], serves=champion)
        log.warning("champion.fell_back model=%s version=%s", name, copy.version)

    def _fall_back(self, name: str, pointer: Pointer) -> None:
        """Loads the previous champion when the current one is refused at the start."""
        if pointer.previous_path is None:
            return
        try:
            scorer = Scorer.load(pointer.previous_path)
            if scorer.spec.model != name or scorer.sha256[:16] != pointer.previous_path.name:
                raise Refused("it is another scorer than its folder says")
        except (AccountscoreError, OSError, ValueError) as error:
            log.error("champion.previous_refused model=%s why=%s", name, error)
            return
        before = replace(
            pointer,
            version=pointer.previous_version,
            sha256=scorer.sha256,
            path=pointer.previous_path,
            previous_version=None,
            previous_path=None,
        )
        self._statuses[name] = replace(self._statuses[name], serves=Champion(get_model(name), before, scorer))
        log.warning("champion.fell_back model=%s version=%s", name, before.version)

    async def watch(self) -> None:
        """Refreshes until cancelled, on a thread, so that loading does not block the event loop."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            await asyncio.to_thread(self.refresh)

    def statuses(self) -> dict[str, dict[str, Any]]:
        """State of each model, as `/readyz` shows it."""
        return {
            name: {
                "serves": s.serves is not None,
                "version": s.serves.version if s.serves else None,
                "scorer": f"sha256:{s.serves.sha256}" if s.serves else None,
                "refused": s.refused,
                "registry_failed": self._confirmed[name].failed,
            }
            for name, s in self._statuses.items()
        }

    def _refuse(self, name: str, status: Status, pointer: Pointer | None, why: str) -> None:
        if status.refused != why:
            log.error("champion.refused model=%s version=%s why=%s", name, pointer and pointer.version, why)
            self._count(name, "refused")
        self._statuses[name] = replace(status, refused=why, seen=pointer)

    def _count(self, name: str, outcome: str) -> None:
        if self._metrics:
            self._metrics.swaps.labels(name, outcome).inc()


def load(name: str, pointer: Pointer) -> Champion:
    """Loads and verifies the scorer that a pointer names. Raises when names, sizes, checksums or golden rows are
    wrong (`Scorer.load`), when it is another scorer than the pointer says, or when its own gates refused it.
    """
    scorer = Scorer.load(pointer.path)
    if scorer.sha256 != pointer.sha256:
        raise Refused(
            f"the scorer is {scorer.sha256[:16]}..., its pointer says {pointer.sha256[:16]}...: promote it again"
        )
    if scorer.spec.model != name:
        raise Refused(
            f"the scorer is of model {scorer.spec.model!r}, its pointer is that of {name!r}: promote the right one"
        )
    require_not_refused(scorer.spec, f"version {pointer.version} of {name}", "promote one whose gates held")
    return Champion(get_model(name), pointer, scorer)
