"""The three stages of the product, wired: what a worker runs.

The fingerprint covers everything that can change an answer: definitions, catalogue, watched sources, identity rules and
the secrets that identifiers are read with, horizon, run, and the version of the code. State that was left unclean by
another fingerprint is not continued (`streams.checkpoint`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from schemas.control import control_headers
from schemas.control_records import Beat
from schemas.definition import Catalogue, Definition
from schemas.fast import encode, fast_type
from schemas.identity_reader import DEFAULT_READER, IdentityReader
from schemas.records import Run
from schemas.sources import NOTHING_WATCHED, SourceRules, forms_of
from schemas.topics import PARTITIONS
from streams.identity.limits import Limits
from streams.identity.resolve import Resolve, ResolveConfig
from streams.journey.compile import compile_definitions
from streams.journey.open_hours import VERSIONS, OpenHours
from streams.journey.track import Track
from streams.pace.contracts import watched_contracts
from streams.pace.keep_time import KeepTime
from streams.pace.silence import Watch, watch_of
from streams.settings import StageSpec
from streams.stage import Effect

STATE_VERSION: Final = 5
"""Grows with each change of code that may answer differently or store state differently."""

_beat = fast_type(Beat)


@dataclass(frozen=True, slots=True)
class Product:
    """`beats_here`: no collector beats, so the owner of a raw partition does."""

    definitions: Sequence[Definition]
    catalogue: Catalogue
    control_secret: bytes
    run: Run
    horizon_ms: int
    beats_here: bool = False
    reader: IdentityReader = DEFAULT_READER
    sources: SourceRules = NOTHING_WATCHED

    def fingerprint(self) -> str:
        digest = blake2b(f"{STATE_VERSION}|{self.run}|{self.horizon_ms}".encode(), digest_size=16)
        for definition in sorted(self.definitions, key=lambda one: (one.journey, one.version)):
            digest.update(definition.model_dump_json().encode())
            if definition.calendars:
                digest.update(VERSIONS.encode())
        digest.update(self.catalogue.model_dump_json().encode())
        digest.update(self.reader.fingerprint().encode())
        if self.sources.sources:
            digest.update(self.sources.model_dump_json().encode())
            if any(entry.counting is not None for entry in self.sources.sources.values()):
                digest.update(VERSIONS.encode())
        return digest.hexdigest()

    def limits(self) -> Limits:
        rules = self.reader.rules
        return Limits(
            horizon_ms=self.horizon_ms,
            login_ms=rules.login_before_ms,
            kiosk_users=rules.limits.kiosk_users,
            kiosk_touchpoints=rules.limits.kiosk_touchpoints,
            kept=rules.limits.kept,
            key_touchpoints=rules.limits.key_touchpoints,
            most=rules.most,
            component=rules.limits.component,
            link_ms=rules.link_ms,
            kinds=rules.kinds,
        )

    def stages(self) -> list[StageSpec]:
        compiled = compile_definitions(self.definitions, self.catalogue, self.sources)
        watches = watches_of(self.sources)
        watched = watched_contracts(self.catalogue)
        config = ResolveConfig(
            catalogue=self.catalogue,
            control_secret=self.control_secret,
            facts=compiled.facts,
            persons=compiled.persons,
            run=self.run,
            limits=self.limits(),
            reader=self.reader,
            sources=forms_of(self.sources),
        )
        return [
            StageSpec(
                "resolve",
                "touchpoints.raw",
                "resolve.changelog",
                PARTITIONS,
                lambda partition: Resolve(partition, PARTITIONS, config),
                beat=self._beat if self.beats_here else None,
            ),
            StageSpec(
                "keep_time",
                "progress",
                "keep_time.changelog",
                1,
                lambda _: KeepTime(
                    PARTITIONS,
                    PARTITIONS,
                    self.control_secret,
                    run=self.run,
                    watched_contracts=watched,
                    watched_sources=watches,
                ),
            ),
            StageSpec(
                "track",
                "touchpoints",
                "track.changelog",
                PARTITIONS,
                lambda partition: Track(partition, compiled, self.run, horizon_ms=self.horizon_ms),
            ),
        ]

    def _beat(self, partition: int, now_ms: int) -> Effect:
        """Live, the broker's time at the append counts, as far as it is not ahead of `now_ms`."""
        value = encode(_beat(log_time=now_ms))
        headers = control_headers("beat", partition, value, self.control_secret)
        return Effect("touchpoints.raw", partition, None, value, headers)


def watches_of(rules: SourceRules) -> dict[str, Watch]:
    """By form. The hours of an entry are counted here, so that the pace of time need not know the journeys'."""
    return {
        form: watch_of(form, entry, OpenHours(entry.counting).due if entry.counting is not None else None)
        for form, entry in rules.sources.items()
    }
