"""Which identifiers of a touchpoint count, and as which text: placeholders, ignored values, spelling, hashes, trust.

The shapes of e-mails and phone numbers are read more simply than the product reads them; whoever writes test data keeps
to what both understand. Without a personal key nothing is hashed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import new as hmac
from typing import Any, Final

from tests.oracle.definitions import KNOWN
from tests.oracle.rules import HOUR, Declared

KINDS: Final = (
    *("anonymous_id", "device_id", "user_id", "email", "phone", "loyalty_card"),
    *("order_id", "receipt_id", "ticket_id", "claim_id"),
)
"""In the order of routing."""
DEVICES: Final = KINDS[:2]
CONTACTS: Final = KINDS[3:6]
BUSINESS: Final = KINDS[6:]
# fmt: off
PLACEHOLDERS: Final = frozenset((
    "anonymous", "guest", "distinctid", "distinct_id", "id", "not_authenticated", "email", "undefined",
    "true", "false", "null", "none", "nan", "nil", "n/a", "na", "anon", "unknown", "invalid", "<nil>", "[]",
    "{}", "0", "-1", "[object object]",
))
# fmt: on
UNUSABLE: Final = re.compile(r"unusable:[0-9a-f]{64}", re.ASCII)
HASHED: Final = re.compile(r"hmac:[0-9a-f]{64}", re.ASCII)
EMAIL: Final = re.compile(r"[a-z0-9._+-]+@[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}", re.ASCII)
PHONE: Final = re.compile(r"\+[1-9][0-9]{9,14}", re.ASCII)
Identifier = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Kinds:
    """Of a deployment, each group in the order of routing: those above, and what it declares itself."""

    devices: tuple[str, ...] = DEVICES
    contacts: tuple[str, ...] = CONTACTS
    business: tuple[str, ...] = BUSINESS
    personal: tuple[str, ...] = ("email", "phone")

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.devices, "user_id", *self.contacts, *self.business)


@dataclass(frozen=True, slots=True)
class Rules:
    """Every number of docs/identity.md, as shipped, and the catalogue. `most`: by the kind of the values that are
    counted.

    `proof_secret` None: no proof can be checked, so one that looks like one counts.
    """

    horizon: int = 72 * HOUR
    login: int = 72 * HOUR
    kiosk_users: int = 4
    kiosk_touchpoints: int = 1_000
    most: Mapping[str, int] = field(default_factory=dict)
    most_otherwise: int = 10
    component: int = 50
    link_days: int = 400
    kept: int = 5_000
    key_touchpoints: int = 200
    known: Mapping[str, Declared] = field(default_factory=lambda: KNOWN)
    ignored: frozenset[Identifier] = frozenset()
    country: str = "49"
    personal_key: bytes | None = None
    proof_secret: bytes | None = None
    kinds: Kinds = Kinds()

    def ends_session(self, name: str) -> bool:
        return name in self.known and self.known[name].ends_session

    def most_of(self, kind: str) -> int:
        return self.most.get(kind, self.most_otherwise)


def is_placeholder(value: str) -> bool:
    text = value.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].strip()
    return text.lower() in PLACEHOLDERS or set(text) <= {"0", "-"}


def usable(
    sent: Mapping[str, str], context: Mapping[str, Any], *, browser: bool, rules: Rules
) -> tuple[dict[str, str], bool]:
    """What counts, in the order of routing; and whether a user_id is missing because nothing proves it."""
    found: dict[str, str] = {}
    unproven = False
    for kind in rules.kinds.all:
        value = sent.get(kind)
        if value is None or is_placeholder(value) or (browser and kind in rules.kinds.contacts):
            continue
        if browser and kind == "user_id" and not _proves(context.get("user_proof"), value, rules):
            unproven = True
            continue
        normal = normalised(kind, value, rules)
        if normal is not None and (kind, normal) not in rules.ignored and (kind, value) not in rules.ignored:
            found[kind] = stored(kind, normal, rules)
    return found, unproven


def normalised(kind: str, value: str, rules: Rules) -> str | None:
    """None: it cannot be read, so it is not usable."""
    if kind not in rules.kinds.personal or HASHED.fullmatch(value):
        return value
    if UNUSABLE.fullmatch(value):
        return None
    if kind not in ("email", "phone"):
        return value
    text = value.strip().lower()
    if kind == "email":
        return text if EMAIL.fullmatch(text) else None
    digits = re.sub(r"[\s()/.-]", "", text)
    for start, instead in (("00", "+"), ("0", f"+{rules.country}")):
        if digits.startswith(start):
            digits = instead + digits.removeprefix(start)
    return digits if PHONE.fullmatch(digits) else None


def stored(kind: str, normal: str, rules: Rules) -> str:
    """As every stage after the door sees it."""
    if kind not in rules.kinds.personal or rules.personal_key is None or HASHED.fullmatch(normal):
        return normal
    return "hmac:" + hmac(rules.personal_key, normal.encode(), sha256).hexdigest()


def in_place(kind: str, value: str, rules: Rules) -> str:
    """What stands in the bytes of the touchpoint instead of what was sent, whether it counts or not."""
    if kind not in rules.kinds.personal or rules.personal_key is None or is_placeholder(value):
        return value
    normal = normalised(kind, value, rules)
    if normal is not None:
        return stored(kind, normal, rules)
    return "unusable:" + hmac(rules.personal_key, value.strip().lower().encode(), sha256).hexdigest()


def cleaned(content: bytes, rules: Rules) -> bytes:
    """The bytes of a touchpoint as they reach every stage: members that are called after a personal kind, replaced."""
    if rules.personal_key is None:
        return content

    def replaced(found: re.Match[bytes]) -> bytes:
        kind, value = found["kind"].decode(), json.loads(found["text"])
        return found["before"] + json.dumps(in_place(kind, value, rules)).encode() if value else found[0]

    kinds = "|".join(rules.kinds.personal).encode()
    member = rb'(?P<before>"(?P<kind>%b)"\s*:\s*)(?P<text>"(?:[^"\\]|\\.)*")' % kinds
    return re.sub(member, replaced, content)


def proof_of(user_id: str, secret: bytes) -> str:
    return hmac(secret, user_id.encode(), sha256).hexdigest()


def _proves(proof: object, user_id: str, rules: Rules) -> bool:
    if rules.proof_secret is None:
        return isinstance(proof, str) and re.fullmatch("[0-9a-f]{64}", proof) is not None
    return proof == proof_of(user_id, rules.proof_secret)
