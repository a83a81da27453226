"""Rules with a kind of one's own in each group, and touchpoints that carry them."""

from __future__ import annotations

import json
from typing import Any, Final

from schemas.decode import Decoded, Invalid, decode_touchpoint
from schemas.identity_reader import IdentityReader, IdentitySecrets
from schemas.identity_rules import IdentityRules

SAID: Final[dict[str, Any]] = {
    "booking_id": {"group": "business_key", "priority": 5},
    "cookie_id": {"group": "device", "priority": 3},
    "member": {"group": "contact", "priority": 4, "normalise": "lower", "most": 3},
    "passport": {"group": "contact", "priority": 5, "personal": True, "personal_fields": ["passport_no"]},
}
RULES: Final = IdentityRules.model_validate({"identifiers": SAID})
KINDS: Final = RULES.kinds
READER: Final = IdentityReader(RULES, IdentitySecrets(b"personal", b"proofs"))
TIME: Final = "2026-11-22T10:15:30.123Z"


def decode(*headers: tuple[str, bytes], properties: dict[str, Any] | None = None, **said: str) -> Decoded | Invalid:
    item = {"message_id": "m-1", "name": "seen", "occurred_at": TIME, "identifiers": said}
    return decode_touchpoint(json.dumps(item | {"properties": properties or {}}).encode(), headers, READER)


def decoded(*headers: tuple[str, bytes], properties: dict[str, Any] | None = None, **said: str) -> Decoded:
    found = decode(*headers, properties=properties, **said)
    assert isinstance(found, Decoded), found
    return found


def segment(**item: Any) -> Decoded:
    whole = {"messageId": "s-1", "timestamp": TIME, "type": "track", "event": "seen"} | item
    found = decode_touchpoint(json.dumps(whole).encode(), [("format", b"segment"), ("source", b"shop")], READER)
    assert isinstance(found, Decoded), found
    return found
