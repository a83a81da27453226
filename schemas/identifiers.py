"""Identifiers, and the ids and partitions that follow from them.

Ids come from content: the same input gives the same id in every life of every process. Partitions of our own topics
come from CRC-32 of
the routing identifier or the customer id (cheap in Python; the topic catalogue names it), so a foreign partitioner
can be noticed.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b, sha1
from typing import Literal
from uuid import UUID
from zlib import crc32

NAMESPACE = UUID("6f1d4c1e-7f0b-5d0e-9a55-6c1b7d3f4a10")

UNIQUE_KIND = "user_id"
DEVICE_KINDS = ("anonymous_id", "device_id")
CONTACT_KINDS = ("email", "phone", "loyalty_card")
BUSINESS_KINDS = ("order_id", "receipt_id", "ticket_id", "claim_id")
ROUTING_ORDER = (*DEVICE_KINDS, UNIQUE_KIND, *CONTACT_KINDS, *BUSINESS_KINDS)
"""The first kind that a touchpoint carries routes it: its device, else its user, else a contact, else a business
key.
"""
Group = Literal["device", "user", "contact", "business_key"]


@dataclass(frozen=True, slots=True)
class IdentifierKinds:
    """The kinds of a deployment by group: the built-in ones, then its own by name. `identity.yaml` adds to them, so
    whoever asks which kinds there are asks `IdentityRules.kinds` or what was made from it. The constants above are what
    is built in, no more.
    """

    devices: tuple[str, ...] = DEVICE_KINDS
    contacts: tuple[str, ...] = CONTACT_KINDS
    keys: tuple[str, ...] = BUSINESS_KINDS

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.devices, UNIQUE_KIND, *self.contacts, *self.keys)

    @property
    def added(self) -> tuple[str, ...]:
        """Those that a deployment declares itself. ClickHouse has no column for them, the contract no field."""
        return tuple(kind for kind in self.all if kind not in ROUTING_ORDER)

    def group_of(self, kind: str) -> Group | None:
        """None: no kind of identifier, such as that of a subject."""
        if kind in self.devices:
            return "device"
        if kind == UNIQUE_KIND:
            return "user"
        if kind in self.contacts:
            return "contact"
        return "business_key" if kind in self.keys else None


BUILT_IN_KINDS = IdentifierKinds()
CONTACT_GRAPH = "contact_graph"
"""What `partition_of` wants to hear for the raw partition that owns the links between contacts and users."""


def _uuid5(text: str) -> str:
    """`str(uuid.uuid5(NAMESPACE, text))` in a third of the time: one id per journey and alert is on the hot path."""
    digest = sha1(NAMESPACE.bytes + text.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def customer_of(kind: str, value: str) -> str:
    """The customer that an identifier alone stands for: a user, or the anonymous customer of a device or contact."""
    return _uuid5(f"{kind}:{value}")


def journey_id_of(definition: str, version: int, customer_id: str, anchor: str) -> str:
    """Versions of one definition may follow the same customer side by side."""
    return _uuid5(f"journey|{definition}|{version}|{customer_id}|{anchor}")


def alert_id_of(journey_id: str, break_name: str, occurrence: int) -> str:
    return _uuid5(f"alert|{journey_id}|{break_name}|{occurrence}")


def dedup_key_of(definition: str, version: int, anchor: str, break_name: str, occurrence: int) -> str:
    """One notification per broken thing: the key stays when the journey moves to another customer. Another version is
    another key, so that one in shadow mode neither ends what the live one told nor stands in its place.
    """
    return _uuid5(f"dedup|{definition}|{version}|{anchor}|{break_name}|{occurrence}")


def touchpoint_id_of(source: str, message_id: str, content: bytes) -> str:
    """Same source, message id and bytes: a duplicate. A client with one constant message id loses nothing. 32 hex
    digits.
    """
    return blake2b(b"%b\x00%b\x00%b" % (content, source.encode(), message_id.encode()), digest_size=16).hexdigest()


def partition_of(routing: str, partitions: int) -> int:
    """The partition that owns `kind:value` on touchpoints.raw, or a customer id on touchpoints and journeys."""
    return crc32(routing.encode()) % partitions
