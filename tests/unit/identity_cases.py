"""Values for the tests of `touchline identity`: decisions, links, touchpoints as rows give them."""

from __future__ import annotations

from deploy.identity.asked import identifier_of
from deploy.identity.decide import decision_of
from deploy.identity.judge import Rules, in_force
from deploy.identity.links import Link, Links
from deploy.identity.naming import Naming, naming_of
from deploy.identity.touch import Touch, touch_of
from schemas.control_records import Decision, DecisionKind
from schemas.identity_reader import IdentityReader, IdentitySecrets
from streams.identity.limits import HOUR_MS, Limits

AT = 1_772_438_400_000  # 2026-03-02 08:00 UTC
READER = IdentityReader(secrets=IdentitySecrets(b"personal", b"proofs"))
RULES = Rules(Limits(), frozenset(("signed_out",)))
SECRET = b"a secret of the test"


def decided(kind: DecisionKind, identifier: str, user_id: str | None = None, reason: str = "card lost") -> Decision:
    return decision_of(kind, identifier_of(identifier), user_id, reason, "anna", AT)


def links(*pairs: str, is_whole: bool = True) -> Links:
    """Each pair: `one other`, seen together once."""
    of: dict[str, list[Link]] = {}
    for number, pair in enumerate(pairs):
        one, other = pair.split()
        for left, right in ((one, other), (other, one)):
            seen = Link(left, right, 1, AT, AT, f"{number:032x}", "purchase", f"{number:032x}", "purchase")
            of.setdefault(left, []).append(seen)
    totals = {
        (one, kind): sum(link.other.startswith(kind) for link in some) for one, some in of.items() for kind in KINDS
    }
    return Links({one: tuple(some) for one, some in of.items()}, totals, is_whole)


KINDS = ("user_id", "email", "phone", "loyalty_card")
CARD, MAIL, PHONE = "loyalty_card:C", "email:m", "phone:p"


def named(contact: str, *pairs: str, made: tuple[Decision, ...] = ()) -> Naming:
    found, standing = links(*pairs), in_force(made)
    return naming_of(contact, found.graph(standing, RULES.limits), found, standing)


def touch(
    number: int, name: str = "page_viewed", *, hours: float = 0, origin: str = "anonymous_id:a", **said: str
) -> Touch:
    """From a row as ClickHouse gives it."""
    row: dict[str, object] = dict.fromkeys((*KINDS, "order_id", "receipt_id", "ticket_id", "claim_id"), "")
    row["other_identifiers"] = {}
    row |= {
        "touchpoint_id": f"{number:032x}",
        "message_id": f"m-{number}",
        "name": name,
        "channel": "web",
        "source": "web",
        "origin": origin,
        "at": AT + int(hours * HOUR_MS),
        "arrived_at": AT + int(hours * HOUR_MS),
        "sequence": 0,
        "too_late": 0,
        "customer_id": "",
        "attributed_by": "user_id" if "user_id" in said else "device",
        "contacts": [f"{kind}:{said[kind]}" for kind in KINDS[1:] if kind in said],
        "weak": 0,
        "raw_partition": 1,
        "raw_offset": number,
    }
    return touch_of(row | said)
