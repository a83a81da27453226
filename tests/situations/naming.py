"""From identifiers in clear, as people write them in a situation, to what is stored, and to customers."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.identifiers import customer_of
from schemas.identity_reader import IdentityReader, IdentitySecrets
from schemas.identity_rules import BUILT_IN


class Naming:
    """Reads as the workers do, whose environment it is given: rules as shipped, and their secrets."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        personal_key, proof_secret = environment["TOUCHLINE_PERSONAL_KEY"], environment["TOUCHLINE_PROOF_SECRET"]
        self._reader = IdentityReader(BUILT_IN, IdentitySecrets(personal_key.encode(), proof_secret.encode()))

    def stored(self, identifier: str) -> str:
        """`kind:value`, normalised and hashed by the rules of the kind; as it is where it is not usable."""
        kind, _, value = identifier.partition(":")
        return f"{kind}:{self._reader.read(kind, value) or value}"

    def customer(self, identifier: str) -> str:
        """The customer that it alone stands for."""
        kind, _, value = self.stored(identifier).partition(":")
        return customer_of(kind, value)

    def proof(self, user_id: str, *, right: bool) -> str:
        """What a shop's server gives the browser at a login, or a forgery of it."""
        right_one = self._reader.proof_of(user_id)
        assert right_one is not None, "the workers have a proof secret"
        return right_one if right else right_one[::-1]
