"""What the owner of a routing identifier hears from others: whom contacts name, and what people decided.

The owner asks for a contact that it has not heard of; the graph's partition answers at each change. `routings` are
its own identifiers with a touchpoint that carries the contact and no user_id: those a change may move.
"""

from __future__ import annotations

from collections.abc import Iterable

from streams.identity.decisions import Decisions


class Told:
    """`user_id`: whom the contact names; None: nobody, as far as was heard. `routings`: with how many touchpoints."""

    __slots__ = ("routings", "user_id")

    def __init__(self, user_id: str | None = None) -> None:
        self.user_id = user_id
        self.routings: dict[str, int] = {}


class Hearsay:
    __slots__ = ("contacts", "decisions")

    def __init__(self) -> None:
        self.contacts: dict[str, Told] = {}
        self.decisions = Decisions()

    def named(self, contacts: Iterable[str]) -> str | None:
        """The one user whom these contacts name, if they name exactly one."""
        user: str | None = None
        for contact in contacts:
            told = self.contacts.get(contact)
            if told is not None and told.user_id is not None:
                if user is not None and user != told.user_id:
                    return None
                user = told.user_id
        return user

    def join(self, contacts: Iterable[str], routing: str) -> list[str]:
        """A touchpoint on `routing` depends on these contacts. Returns those not heard of before."""
        new: list[str] = []
        for contact in contacts:
            told = self.contacts.get(contact)
            if told is None:
                told = self.contacts[contact] = Told()
                new.append(contact)
            told.routings[routing] = told.routings.get(routing, 0) + 1
        return new
