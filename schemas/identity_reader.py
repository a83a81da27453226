"""Reads identifiers by the rules of the deployment: which of them count, as which text, and what is stored of them.

A personal value in clear (docs/identity.md, "Personal data") becomes one of two texts, and both stay as they are when
they are read again, so collector and resolve agree on every byte:

- `hmac:` and 64 hex digits: the keyed hash of the normalised value. It is the identifier.
- `unusable:` and 64 hex digits: the keyed hash of a value that is no identifier: it cannot be read, or is ignored by a
  regular expression, which can look at clear values only. It is stored, and joins nobody.

Placeholders ("null") stay readable: they are nobody's data. Reading is pure; what is cached is bounded.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

from schemas.identifiers import ROUTING_ORDER
from schemas.identity_rules import BUILT_IN, IdentityRules
from schemas.normalise import LENGTH_MAX, normaliser
from schemas.personal import PersonalFields
from schemas.placeholders import PLAIN_STARTS, folded, is_placeholder
from schemas.wire import wire_of

HASHED: Final = re.compile(r"hmac:[0-9a-f]{64}")
UNUSABLE: Final = re.compile(r"unusable:[0-9a-f]{64}")
MANY: Final = "unusable:" + "0" * 64
"""Of a touchpoint with more personal values than anybody has: the rest are not read at all."""
PROOF: Final = re.compile(r"[0-9a-fA-F]{64}")
USER_PROOF: Final = "user_proof"
"""The member of `context` that proves a browser's user_id. It is not passed on: who has it can claim the user."""


@dataclass(frozen=True, slots=True)
class IdentitySecrets:
    """`personal_key` None: nothing is hashed, for tests and benchmarks only. `proof_secret` None: no proof is right."""

    personal_key: bytes | None = field(default=None, repr=False)
    proof_secret: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Kind:
    """The rules of one kind, ready for use. `ignored`: folded and normalised values; `hashes`: of those, hashed."""

    normalise: Callable[[str], str | None]
    hashed: bool
    ignored: frozenset[str]
    hashes: frozenset[str]
    patterns: tuple[re.Pattern[str], ...]

    @property
    def is_plain(self) -> bool:
        """Nothing but placeholders is looked for, and every other value counts as it was sent."""
        return not (self.hashed or self.ignored or self.patterns)


class IdentityReader:
    """`kinds`: those of the deployment; `own`: those of them that it added. `order`: its routing order. `wire`: the
    contract of its touchpoints.
    """

    def __init__(self, rules: IdentityRules = BUILT_IN, secrets: IdentitySecrets | None = None) -> None:
        self.rules = rules
        self._secrets = secrets or IdentitySecrets()
        self._key = self._secrets.personal_key
        self.kinds = rules.kinds
        self.own = self.kinds.added
        self.wire = wire_of(self.kinds)
        self.order = rules.routing_order
        self.contacts, self.keys = frozenset(self.kinds.contacts), frozenset(self.kinds.keys)
        self.reordered = self.order != ROUTING_ORDER
        self._kinds = {kind: self._ready(kind) for kind in self.order}
        self.careful = frozenset(
            kind
            for kind, ready in self._kinds.items()
            if self.reordered or not ready.is_plain or rules.of(kind).normalise != "none"
        ) | {"account_id"}
        """What has none of these needs only a look for placeholders."""
        self.respelt = tuple(
            kind for kind in self.kinds.all if rules.of(kind).normalise != "none" and kind not in rules.personal_kinds
        )
        """Stored as the text that counts, so that whoever looks an identifier up finds it; personal ones are hashed."""
        names = {name: kind for kind in rules.personal_kinds for name in (kind, *rules.contact(kind).personal_fields)}
        self._fields = PersonalFields(names, MANY) if names and self._key is not None else None
        self.mark = None if self._fields is None or self._key is None else _mark_of(self._key, names)
        """What the header `cleaned` of a record says when its bytes need no cleaning by this reader. It follows from
        the personal key, so only who knows that can say so, and from the fields, so others are cleaned again.
        """

    def _ready(self, kind: str) -> _Kind:
        rules = self.rules.of(kind)
        normalise = normaliser(rules.normalise, self.rules.phone_region)
        values = (*self.rules.ignore, *rules.ignore)
        normal = frozenset(text for value in values if (text := normalise(value)) is not None)
        hashed = self._key is not None and kind in self.rules.personal_kinds
        return _Kind(
            normalise,
            hashed,
            normal | frozenset(map(folded, values)),
            frozenset(map(self._hash, normal)) if hashed else frozenset(),
            tuple(map(re.compile, rules.ignore_matching)),
        )

    def cleaned(self, value: bytes) -> bytes:
        """The bytes of a touchpoint without personal values in clear. Twice does no more than once."""
        if self._fields is None or not self._fields.may_stand_in(value):
            return value
        return self._fields.replaced(value, self._replace)

    def read(self, kind: str, value: str) -> str | None:
        """What counts of an identifier, in clear or as stored; None: it is not usable."""
        if value[:1] not in PLAIN_STARTS and is_placeholder(value):
            return None
        ready = self._kinds[kind]
        if ready.hashed or kind in self.rules.personal_kinds:
            if HASHED.fullmatch(value):
                return None if value in ready.hashes else value
            if UNUSABLE.fullmatch(value):
                return None
        normal = self._counts(ready, value)
        return self._hash(normal) if ready.hashed and normal is not None else normal

    def stored(self, kind: str, value: str) -> str:
        """What the stages after the collector hold of an identifier, whether it counts or not."""
        return self._replace(kind, value) or value

    def usable_of(self, sent: Mapping[str, str]) -> dict[str, str]:
        """Those that count, in the order in which they came; where the deployment has an order of its own, in that."""
        kinds = self.order if self.reordered else sent
        found = ((kind, self.read(kind, sent[kind])) for kind in kinds if kind in sent and kind in self._kinds)
        return {kind: text for kind, text in found if text is not None}

    def proves(self, user_id: str, context: Mapping[str, Any]) -> bool:
        """Whether the context of a browser's touchpoint shows that the user_id is its own."""
        proof = context.get(USER_PROOF)
        if not isinstance(proof, str) or PROOF.fullmatch(proof) is None:
            return False
        right = self.proof_of(user_id)
        return right is not None and hmac.compare_digest(right, proof.lower())

    def proof_of(self, user_id: str) -> str | None:
        """As the shop's server makes it; None without a proof secret."""
        secret = self._secrets.proof_secret
        return None if secret is None else hmac.digest(secret, user_id.encode(), "sha256").hex()

    def fingerprint(self) -> str:
        """Of rules and secrets: another one may read the same touchpoints otherwise. Tells nothing about either."""
        digest = blake2b(self.rules.model_dump_json().encode(), digest_size=16)
        for secret in (self._key, self._secrets.proof_secret):
            digest.update(b"none" if secret is None else hmac.digest(secret, b"touchline fingerprint", "sha256"))
        return digest.hexdigest()

    def _counts(self, ready: _Kind, value: str) -> str | None:
        """The normalised value; None when there is none, or it is to be ignored."""
        normal = ready.normalise(value) if len(value) <= LENGTH_MAX else None
        if normal is None:
            return None
        if ready.ignored and (normal in ready.ignored or folded(value) in ready.ignored):
            return None
        return None if any(pattern.fullmatch(normal) for pattern in ready.patterns) else normal

    def _replace(self, kind: str, value: str) -> str | None:
        """What is written in place of a personal value. An ignored value keeps its hash, which resolve knows: so it
        counts again on the day on which it is no longer ignored.
        """
        ready = self._kinds[kind]
        if not ready.hashed or is_placeholder(value) or HASHED.fullmatch(value) or UNUSABLE.fullmatch(value):
            return None
        normal = ready.normalise(value) if len(value) <= LENGTH_MAX else None
        if normal is None or any(pattern.fullmatch(normal) for pattern in ready.patterns):
            return "unusable:" + self._digest(value.strip().lower())
        return self._hash(normal)

    def _hash(self, normal: str) -> str:
        return "hmac:" + self._digest(normal)

    def _digest(self, text: str) -> str:
        assert self._key is not None, "only readers with a personal key hash"
        return hmac.digest(self._key, text.encode(), "sha256").hex()


def _mark_of(key: bytes, names: Mapping[str, str]) -> bytes:
    text = f"touchline cleaned by letters {sorted(names.items())}"
    return hmac.digest(key, text.encode(), "sha256").hex()[:16].encode()


DEFAULT_READER: Final = IdentityReader()
"""The built-in rules without secrets: values stay in clear, and browsers prove nothing."""
