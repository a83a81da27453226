"""Reads `identity.yaml`, and makes of it and the deployment's secrets the reader that collector and workers share."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import SecretStr

from schemas.definition import Catalogue
from schemas.definition_files import DefinitionError, Flaw, load_catalogue, validated
from schemas.identity_checks import flaws_of
from schemas.identity_reader import IdentityReader, IdentitySecrets
from schemas.identity_rules import BUILT_IN, IdentityRules
from schemas.settings import Settings, SettingsError
from schemas.yaml_file import place, plain, read_mapping

USUAL_FILE: Final = Path("identity.yaml")


def load_identity_rules(file: Path) -> IdentityRules:
    """Raises DefinitionError with all flaws."""
    document = read_mapping(file)
    rules = validated(IdentityRules, plain(document), file, document, drop=0)
    flaws = [Flaw(str(file), *place(document, path), text) for path, text in flaws_of(rules)]
    if flaws:
        raise DefinitionError(flaws)
    return rules


def identity_file_of(settings: Settings) -> Path | None:
    """The file in force: the one that is set, else identity.yaml where it lies here. None: the built-in rules."""
    if settings.identity_file is not None:
        return settings.identity_file
    return USUAL_FILE if USUAL_FILE.exists() else None


def identity_rules_of(settings: Settings) -> IdentityRules:
    """Raises DefinitionError."""
    file = identity_file_of(settings)
    return BUILT_IN if file is None else load_identity_rules(file)


def catalogue_of(settings: Settings, file: Path | None = None) -> Catalogue:
    """The catalogue of the deployment, or another in its place, with the business keys of the deployment. Raises
    DefinitionError.
    """
    return load_catalogue(file or settings.catalogue_file, identity_rules_of(settings).kinds)


def identity_reader_of(settings: Settings) -> IdentityReader:
    """Raises DefinitionError, and SettingsError where personal values could not be hashed."""
    rules = identity_rules_of(settings)
    if rules.personal_kinds and settings.personal_key is None:
        raise SettingsError(
            "TOUCHLINE_PERSONAL_KEY is missing. Set the same key for collectors, workers and commands, and keep it:"
            f" with another one every {rules.personal_kinds[0]} is another customer."
        )
    return IdentityReader(rules, IdentitySecrets(_bytes(settings.personal_key), _bytes(settings.proof_secret)))


def _bytes(secret: SecretStr | None) -> bytes | None:
    return None if secret is None else secret.get_secret_value().encode()
