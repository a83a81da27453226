"""Rule 4: whose is a business key? The customer of its earliest claim that is not a browser's, else of its
earliest; a pure function of the touchpoints that carry it. Nobody's, for good, once too many carry it.

A claim names a person or device; what carries only keys never claims, so a change of owner can never change
another key: chains of evidence end here. Claims change hands with a greater rev and are never taken back.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

import msgspec

from streams.identity.limits import Limits


class Claim(msgspec.Struct, frozen=True, order=True, gc=False, array_like=True):
    """An on-time touchpoint that carries the key; the first three fields are the order. `customer_id` None:
    it waits, claims nothing.

    `rev` is the raw offset of the evidence's cause in its partition. `local`: routed by this very key, so it
    follows the key's owner. `weak`: a browser's.
    """

    occurred_at: int
    sequence: int
    touchpoint_id: str
    rev: int
    customer_id: str | None
    local: bool
    log_time: int
    entry: bytes
    weak: bool


class Change(NamedTuple):
    """What one claim did to its key. `new`: not known before. `stale`: nothing."""

    old_owner: str | None
    new_owner: str | None
    new: bool
    stale: bool = False


class Key:
    """`claims` is sorted by the order. `is_blocked`: by hand, so no claim counts. `is_worn`: too many carry it, so no
    claim counts any more, and none has to be remembered.
    """

    __slots__ = ("claims", "due", "is_blocked", "is_worn", "latest", "owner")

    def __init__(self) -> None:
        self.claims: list[Claim] = []
        self.owner: str | None = None
        self.is_blocked = self.is_worn = False
        self.latest = 0
        self.due = -1


def find(key: Key, occurred_at: int, sequence: int, touchpoint_id: str) -> tuple[int, bool]:
    """Where it is, or belongs; and whether it is there."""
    index = bisect_left(key.claims, Claim(occurred_at, sequence, touchpoint_id, -1, None, False, 0, b"", False))
    return index, index < len(key.claims) and key.claims[index].touchpoint_id == touchpoint_id


def take(key: Key, claim: Claim, limits: Limits) -> Change:
    """Add a claim, or replace it by its greater rev. Of a worn key none is added."""
    if key.is_worn:
        return Change(None, None, new=False)
    index, known = find(key, claim.occurred_at, claim.sequence, claim.touchpoint_id)
    old = key.owner
    if known:
        if claim.rev <= key.claims[index].rev:
            return Change(old, old, new=False, stale=True)
        key.claims[index] = claim
    else:
        key.claims.insert(index, claim)
        key.is_worn = len(key.claims) > limits.key_touchpoints
    key.owner = owner_of(key)
    return Change(old, key.owner, new=not known)


def owner_of(key: Key) -> str | None:
    claim = None if key.is_blocked or key.is_worn else deciding(key)
    return None if claim is None else claim.customer_id


def deciding(key: Key) -> Claim | None:
    """The claim whose customer the key has while it is not blocked; None: none of them claims anything."""
    weak: Claim | None = None
    for claim in key.claims:
        if claim.customer_id is not None:
            if not claim.weak:
                return claim
            weak = weak or claim
    return weak
