"""Writes down what one person does: the small verbs that scenarios are made of. Deterministic: randomness is an
argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from sources.simulation.plan import MINUTE, SECOND, Emitter, Expected, ExpectedBreak, Person, Plan, Tale

PAGES = ("home", "category", "product", "delivery", "about", "stores", "help")


class Teller:
    """One person's course, told in true time. `order` numbers are unique in a run."""

    def __init__(self, person: Person, rng: Random, serial: int, skew_ms: int, stores: Sequence[str]) -> None:
        self.person = person
        self.rng = rng
        self.serial = serial
        self.skew_ms = skew_ms
        self.order_id = f"{70_000 + serial}"
        self.ticket_id = f"T{40_000 + serial}"
        self.store = rng.choice(stores)
        self.tale = Tale()
        self.where: Emitter = "web"
        self.begun: Plan | None = None
        self._count = 0

    def _message_id(self) -> str:
        self._count += 1
        return f"m{self.serial}-{self._count}"

    def add(
        self,
        emitter: Emitter,
        name: str,
        at: int,
        identifiers: dict[str, str],
        *,
        channel: str | None = None,
        properties: dict[str, Any] | None = None,
        arrives_after: int | None = None,
    ) -> Plan:
        """`arrives_after`: ms from the act to the arrival; a little by default."""
        delay = self.rng.randint(20, 2_000) if arrives_after is None else arrives_after
        skew = self.skew_ms if emitter == "app" else 0
        source = f"till-{self.store}" if emitter == "till" else emitter
        plan = Plan(source, name, at, at + delay, identifiers, self._message_id(), channel, properties or {}, skew)
        self.tale.plans.append(plan)
        return plan

    def repeat(self, plan: Plan, after: int = MINUTE) -> None:
        """Send the same bytes once more."""
        self.tale.plans.append(replace(plan, arrives_at=plan.arrives_at + after, repeats=plan.message_id))

    # -- on a device of the person -----------------------------------------------------------------------------------

    def device(self, where: Emitter) -> dict[str, str]:
        return {"anonymous_id": self.person.app if where == "app" else self.person.web}

    def on_device(self, where: Emitter, name: str, at: int, /, **properties: Any) -> Plan:
        return self.add(where, name, at, self.device(where), properties=properties)

    def browse(self, where: Emitter, at: int, pages: int) -> int:
        """Look around; returns the time at the end."""
        for _ in range(pages):
            name = "page_viewed" if where == "web" else "screen_viewed"
            self.on_device(where, name, at, name=self.rng.choice(PAGES), url="/" + self.rng.choice(PAGES))
            at += self.rng.randint(3, 40) * SECOND
        return at

    def sign_in(self, where: Emitter, at: int) -> None:
        if self.person.user_id is not None:
            identifiers = self.device(where) | {"user_id": self.person.user_id}
            self.add(where, "identified", at, identifiers, properties={"plan": "standard"})

    # -- of the order ------------------------------------------------------------------------------------------------

    def check_out(self, where: Emitter, at: int) -> Plan:
        return self.on_device(where, "checkout_started", at, items=self.rng.randint(1, 6))

    def choose_delivery(self, where: Emitter, at: int) -> Plan:
        return self.on_device(where, "delivery_chosen", at, fulfilment="pickup", store_id=self.store)

    def place_order(self, where: Emitter, at: int, fulfilment: str = "pickup") -> Plan:
        properties = {
            "order_id": self.order_id,
            "fulfilment": fulfilment,
            "store_id": self.store,
            "value": round(self.rng.uniform(9, 240), 2),
        }
        return self.add(
            where, "order_placed", at, self.device(where) | {"order_id": self.order_id}, properties=properties
        )

    def of_order(
        self, emitter: Emitter, name: str, at: int, *, arrives_after: int | None = None, **properties: Any
    ) -> Plan:
        """From a system that knows only the order."""
        return self.add(
            emitter,
            name,
            at,
            {"order_id": self.order_id},
            channel="store" if emitter == "till" else None,
            properties={"order_id": self.order_id, "store_id": self.store} | properties,
            arrives_after=arrives_after,
        )

    def pick_up(self, at: int, arrives_after: int | None = None) -> Plan:
        """Half of the tills know only the order; the others scan the customer's app too."""
        identifiers = {"order_id": self.order_id}
        if self.person.user_id is not None and self.rng.random() < 0.5:
            identifiers["user_id"] = self.person.user_id
        properties = {"order_id": self.order_id, "store_id": self.store}
        return self.add(
            "till", "picked_up", at, identifiers, channel="store", properties=properties, arrives_after=arrives_after
        )

    def ask_feedback(self, at: int) -> Plan:
        return self.of_order("crm", "feedback_requested", at, survey="pickup")

    def give_feedback(self, at: int, **scores: Any) -> Plan:
        properties = {"order_id": self.order_id} | scores
        return self.add(
            "web", "feedback_given", at, self.device("web") | {"order_id": self.order_id}, properties=properties
        )

    # -- of the service case -----------------------------------------------------------------------------------------

    def open_ticket(self, at: int) -> Plan:
        """On the web, in the app, at the counter or by phone; those who never sign in have a device only."""
        ticket = {"ticket_id": self.ticket_id}
        road = self.rng.choice(("web", "app", "till", "crm"))
        if road == "web" or road == "app" or self.person.user_id is None:
            where: Emitter = "app" if road == "app" else "web"
            return self.add(where, "ticket_opened", at, self.device(where) | ticket, properties=ticket)
        emitter: Emitter = "till" if road == "till" else "crm"
        channel = "store" if emitter == "till" else "phone"
        identifiers = ticket | {"user_id": self.person.user_id}
        return self.add(emitter, "ticket_opened", at, identifiers, channel=channel, properties=ticket)

    def of_ticket(self, name: str, at: int, *, arrives_after: int | None = None, **properties: Any) -> Plan:
        """From the service desk's system, which knows only the ticket."""
        return self.add(
            "crm",
            name,
            at,
            {"ticket_id": self.ticket_id},
            channel="phone" if name == "callback_made" else "email",
            properties={"ticket_id": self.ticket_id} | properties,
            arrives_after=arrives_after,
        )

    # -- what must come of it ----------------------------------------------------------------------------------------

    def expect_order(
        self,
        status: str,
        *breaks: ExpectedBreak,
        near_miss: str | None = None,
        story: str = "",
        undisturbed: bool = False,
    ) -> None:
        self._expect("click_and_collect", f"order_id:{self.order_id}", status, breaks, near_miss, story, undisturbed)

    def expect_from(
        self,
        definition: str,
        start: Plan | None,
        status: str,
        *breaks: ExpectedBreak,
        near_miss: str | None = None,
        story: str = "",
    ) -> None:
        """Of a journey of the customer: it has no key, so its first touchpoint names it."""
        assert start is not None, f"the story begins no {definition}"
        self._expect(definition, f"start:{start.message_id}", status, breaks, near_miss, story)

    def expect_checkout(
        self, start: Plan | None, status: str, *breaks: ExpectedBreak, near_miss: str | None = None
    ) -> None:
        self.expect_from("checkout", start, status, *breaks, near_miss=near_miss)

    def expect_case(self, status: str, *breaks: ExpectedBreak, near_miss: str | None = None, story: str = "") -> None:
        self._expect("service_case", f"ticket_id:{self.ticket_id}", status, breaks, near_miss, story)

    def _expect(
        self,
        definition: str,
        key: str,
        status: Any,
        breaks: tuple[ExpectedBreak, ...],
        near: str | None,
        story: str,
        undisturbed: bool = False,
    ) -> None:
        person = self.person.person
        self.tale.expected.append(Expected(definition, key, person, status, breaks, near, story, undisturbed))

    def soon(self, low_minutes: float, high_minutes: float) -> int:
        return self.rng.randint(int(low_minutes * MINUTE), int(high_minutes * MINUTE))
