"""What the deployment has set about identity: rules, secrets, sources. Read once per command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.identity.judge import Rules
from deploy.stack import Stack
from schemas.definition_files import load_catalogue
from schemas.identity_reader import IdentityReader, IdentitySecrets
from streams.identity.limits import Limits


@dataclass(frozen=True, slots=True)
class Setting:
    """`browsers`: sources whose write key a browser holds."""

    rules: Rules
    browsers: tuple[str, ...]
    kafka: Mapping[str, Any]
    topic_prefix: str
    control_secret: bytes = field(repr=False)
    reader: IdentityReader = field(repr=False)

    def stored(self, kind: str, value: str) -> str | None:
        """As it is stored; None: it does not count."""
        return self.reader.read(kind, value)

    def counts(self, identifier: str) -> bool:
        kind, _, value = identifier.partition(":")
        return self.reader.read(kind, value) is not None

    def proof(self, user_id: str) -> str | None:
        return self.reader.proof_of(user_id)


def setting_of(stack: Stack) -> Setting:
    """Raises DefinitionError for a catalogue that cannot be read: without it nobody knows what ends a session."""
    settings = stack.settings
    catalogue = load_catalogue(settings.catalogue_file)
    ends = frozenset(name for name, one in catalogue.touchpoints.items() if one.ends_session)
    reader = IdentityReader(secrets=IdentitySecrets())
    return Setting(
        rules=Rules(Limits(horizon_ms=settings.horizon_ms), ends),
        browsers=(),
        kafka=stack.kafka_options(),
        topic_prefix=settings.topic_prefix,
        control_secret=stack.secrets.control_secret.encode(),
        reader=reader,
    )
