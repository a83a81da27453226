"""Protocols that look right and are not: the laws must catch each, or they are not worth much.

They change what `resolve` says on the wire about contacts or about what it caused, or what `keep_time` says about
sources, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from schemas.control import control_headers
from schemas.fast import encode
from schemas.identifiers import customer_of
from streams.stage import Change, Effect, LogRecord, Stage

Rewrite = Callable[[dict[str, Any]], dict[str, Any] | None]
"""A naming as it should be -> as it is said; None: not at all."""


class Misnaming:
    """`resolve`, but for its namings. It keeps no state over a restart, so it is for worlds without crashes."""

    def __init__(self, stage: Stage, secret: bytes) -> None:
        self._stage, self._secret = stage, secret

    def apply(self, record: LogRecord, out: list[Effect]) -> None:
        own: list[Effect] = []
        if ("control", b"sighting") in record.headers:
            self.hear(json.loads(record.value or b""))
        self._stage.apply(record, own)
        for effect in own:
            changed = self._changed(effect)
            if changed is not None:
                out.append(changed)

    def hear(self, sighting: dict[str, Any]) -> None:
        """A sighting that another partition tells."""

    def say(self, naming: dict[str, Any], topic: str) -> dict[str, Any] | None:
        return naming

    def _changed(self, effect: Effect) -> Effect | None:
        told = ("control", b"naming") in effect.headers
        if not told and effect.topic != "identities":
            return effect
        body = json.loads(effect.value)
        if body["type"] != "naming":
            return effect
        said = self.say(body, effect.topic)
        if said is None:
            return None
        value = encode(said)
        headers = control_headers("naming", effect.partition, value, self._secret) if told else effect.headers
        return effect._replace(value=value, headers=headers)

    def flush(self, out: list[Effect]) -> None:
        self._stage.flush(out)

    def changes(self) -> list[Change]:
        return self._stage.changes()

    def restore(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        self._stage.restore(entries)

    def numbers(self) -> Mapping[str, int]:
        return self._stage.numbers()

    def quarantine(self, record: LogRecord, reason: str, out: list[Effect]) -> None:
        self._stage.quarantine(record, reason, out)


class NeverAgain(Misnaming):
    """The graph says once whom a contact names and forgets to judge it again."""

    def __init__(self, stage: Stage, secret: bytes) -> None:
        super().__init__(stage, secret)
        self._said: set[tuple[str, str]] = set()

    def say(self, naming: dict[str, Any], topic: str) -> dict[str, Any] | None:
        about = (topic, naming["contact"])
        if about in self._said or naming["user_id"] is None:
            return None
        self._said.add(about)
        return naming


class LastArrival(Misnaming):
    """A contact names the user it was seen with last."""

    def __init__(self, stage: Stage, secret: bytes) -> None:
        super().__init__(stage, secret)
        self._last: dict[str, str] = {}

    def hear(self, sighting: dict[str, Any]) -> None:
        if sighting["user_id"] is not None:
            self._last |= dict.fromkeys(sighting["contacts"], sighting["user_id"])

    def say(self, naming: dict[str, Any], topic: str) -> dict[str, Any] | None:
        user = self._last.get(naming["contact"])
        return naming if user is None else naming | {"user_id": user, "customer_id": customer_of("user_id", user)}


class Causeless(Misnaming):
    """`resolve`, but it says in each report that nothing it wrote causes more than one hop."""

    def _changed(self, effect: Effect) -> Effect | None:
        if effect.topic != "progress":
            return effect
        body = json.loads(effect.value)
        return effect if body["mark"] is None else effect._replace(value=encode(body | {"hops": 0}))


class Deaf(Misnaming):
    """`keep_time`, but its ticks say of no source that it is quiet."""

    def _changed(self, effect: Effect) -> Effect | None:
        body = json.loads(effect.value) if effect.topic == "touchpoints" else {}
        return effect._replace(value=encode(body | {"sources": []})) if body.get("type") == "tick" else effect


class Mute(Misnaming):
    """`keep_time`, but it never says that a source speaks again."""

    def _changed(self, effect: Effect) -> Effect | None:
        body = json.loads(effect.value) if effect.topic == "alerts" else {}
        return None if body.get("kind") == "silent_source" and body["state"] == "resolved" else effect
