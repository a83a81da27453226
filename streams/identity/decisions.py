"""What people decided about identifiers: docs/identity.md, "By hand". Values and their questions; no effects.

Of several decisions on the same identifier and user the last one counts. A decision is kept until it is lifted.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from schemas.control_records import Decision
from schemas.identifiers import UNIQUE_KIND

MOST: Final = 10_000


class Standing(NamedTuple):
    """A decision in force. `order`: the latest has the greatest."""

    kind: str
    order: int


class Decisions:
    """`__bool__`: whether there are any, so that nobody asks for each touchpoint."""

    __slots__ = ("_count", "_of")

    def __init__(self) -> None:
        self._of: dict[str, dict[str | None, Standing]] = {}
        self._count = 0

    def __bool__(self) -> bool:
        return bool(self._of)

    def __len__(self) -> int:
        return self._count

    def has_room(self, decision: Decision) -> bool:
        """Whether it can be taken: a further one only while there are fewer than MOST."""
        known = decision.user_id in self._of.get(decision.identifier, ())
        return known or decision.kind == "lift" or self._count < MOST

    def take(self, decision: Decision, order: int) -> None:
        """One for which there is no room does not count."""
        about = self._of.setdefault(decision.identifier, {})
        if about.pop(decision.user_id, None) is not None:
            self._count -= 1
        if decision.kind != "lift" and self._count < MOST:
            about[decision.user_id] = Standing(decision.kind, order)
            self._count += 1
        if not about:
            del self._of[decision.identifier]

    def of(self, identifier: str) -> list[tuple[str | None, Standing]]:
        return sorted(self._of.get(identifier, {}).items(), key=lambda item: item[1].order)

    def restored(self, identifier: str, user_id: str | None, standing: Standing) -> None:
        self._of.setdefault(identifier, {})[user_id] = standing
        self._count += 1

    def is_blocked(self, identifier: str) -> bool:
        found = self._of.get(identifier)
        return found is not None and None in found and found[None].kind == "block"

    def is_blocked_user(self, user_id: str) -> bool:
        return self.is_blocked(f"{UNIQUE_KIND}:{user_id}")

    def is_unlinked(self, identifier: str, user_id: str) -> bool:
        found = self._of.get(identifier)
        return found is not None and user_id in found and found[user_id].kind == "unlink"

    def linked(self, identifier: str) -> str | None:
        """The user to whom a person linked it last."""
        found = self._of.get(identifier)
        if found is None:
            return None
        links = [(standing.order, user) for user, standing in found.items() if standing.kind == "link" and user]
        return max(links)[1] if links else None

    def may_link(self, one: str, other: str) -> bool:
        """Whether a link between the two may count. The first is known not to be blocked."""
        if not self._of:
            return True
        if self.is_blocked(other):
            return False
        prefix = f"{UNIQUE_KIND}:"
        if one.startswith(prefix):
            return not self.is_unlinked(other, one[len(prefix) :])
        return not other.startswith(prefix) or not self.is_unlinked(one, other[len(prefix) :])

    def names_nobody(self, device: str, user_id: str) -> bool:
        """Logins of this user on this device name nobody."""
        return self.is_blocked(device) or self.is_unlinked(device, user_id) or self.is_blocked_user(user_id)
