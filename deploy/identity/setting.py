"""What the deployment has set about identity: rules, secrets, sources. Read once per command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.identity.judge import Rules
from deploy.stack import Stack
from schemas.definition import Catalogue
from schemas.definition_files import DefinitionError
from schemas.identity_files import catalogue_of, identity_reader_of
from schemas.identity_reader import IdentityReader
from schemas.settings import Settings, SettingsError
from schemas.yaml_file import plain, read_mapping
from streams.identity.limits import Limits
from streams.product import Product


@dataclass(frozen=True, slots=True)
class Setting:
    """`browsers`: sources whose write key a browser holds. `control_secret` None: nothing can be decided from here."""

    rules: Rules
    browsers: tuple[str, ...]
    kafka: Mapping[str, Any]
    topic_prefix: str
    control_secret: bytes | None = field(repr=False)
    reader: IdentityReader = field(repr=False)

    def secret(self) -> bytes:
        """Raises SettingsError."""
        if self.control_secret is None:
            raise SettingsError(
                "TOUCHLINE_CONTROL_SECRET is missing: the workers believe decisions under the deployment's secret only"
            )
        return self.control_secret


def setting_of(stack: Stack) -> Setting:
    """Raises DefinitionError for a file that cannot be read (only the catalogue knows what ends a session), and
    SettingsError where secrets are missing.
    """
    settings = stack.settings
    catalogue = catalogue_of(settings)
    reader, secret = _secrets_of(stack)
    return Setting(
        rules=Rules(limits_of(settings, catalogue, reader), ends_of(catalogue)),
        browsers=browsers_of(stack),
        kafka=stack.kafka_options(),
        topic_prefix=settings.topic_prefix,
        control_secret=secret,
        reader=reader,
    )


def limits_of(settings: Settings, catalogue: Catalogue, reader: IdentityReader) -> Limits:
    """Those that the workers have."""
    return Product((), catalogue, b"", settings.run, settings.horizon_ms, reader=reader).limits()


def ends_of(catalogue: Catalogue) -> frozenset[str]:
    return frozenset(name for name, one in catalogue.touchpoints.items() if one.ends_session)


def _secrets_of(stack: Stack) -> tuple[IdentityReader, bytes | None]:
    """Those of the data directory where there are any: made ones would be no secrets of this deployment."""
    if (stack.home / "secrets.json").exists():
        return stack.identity(), stack.secrets.control_secret.encode()
    given = stack.settings.control_secret
    return identity_reader_of(stack.settings), None if given is None else given.get_secret_value().encode()


def browsers_of(stack: Stack) -> tuple[str, ...]:
    """Sources all of whose write keys are a browser's. None where the file is not at hand: its rows look like a
    server's, and only the claims on business keys differ by that.
    """
    try:
        keys = plain(read_mapping(stack.write_keys_file)).get("write_keys")
    except DefinitionError:
        return ()
    trust: dict[str, set[str]] = {}
    for entry in keys.values() if isinstance(keys, dict) else ():
        if isinstance(entry, dict):
            trust.setdefault(str(entry.get("source")), set()).add(str(entry.get("trust")))
    return tuple(sorted(source for source, found in trust.items() if found == {"browser"}))
