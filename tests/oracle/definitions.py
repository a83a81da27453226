"""The shipped journeys and what the catalogue says of their touchpoints, restated by hand as data.

On purpose not read from the YAML files: what a file means is the product's claim. Durations in ms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

Fact = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Pattern:
    names: tuple[str, ...]
    where: tuple[tuple[str, Fact], ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    pattern: Pattern
    after: str
    within: int | None = None
    if_missing: str = "break"
    handoff: bool = False


@dataclass(frozen=True, slots=True)
class Repeated:
    name: str
    pattern: Pattern
    at_least: int
    in_window: int
    cleared_by: str


@dataclass(frozen=True, slots=True)
class LowScore:
    name: str
    score: str
    below: float
    about: str


@dataclass(frozen=True, slots=True)
class Suspicion:
    """`kind`: failure_event, out_of_order or skipped_step. `step`: what clears it. `pattern`: what raises it; None when
    reaching the success does.
    """

    name: str
    kind: str
    step: str
    pattern: Pattern | None = None
    tolerate: int | None = None


@dataclass(frozen=True, slots=True)
class Abandoned:
    name: str
    idle: int


@dataclass(frozen=True, slots=True)
class Ban:
    """Either `at_most` or `never_with`."""

    name: str
    pattern: Pattern
    at_most: int | None = None
    never_with: str | None = None


ARRIVES_WITHIN: Final = {"picked_up": 20 * MINUTE, "callback_made": 15 * MINUTE}


@dataclass(frozen=True, slots=True)
class Definition:
    """`key`: a kind of business key, or `customer`. `joins`: touchpoints without a key join the only open instance.
    `arrives_within`: the catalogue's, by touchpoint.
    """

    name: str
    key: str
    joins: bool
    start: Pattern
    steps: tuple[Step, ...]
    success: str
    failures: tuple[str, ...]
    repeated: tuple[Repeated, ...]
    scores: tuple[LowScore, ...]
    grace: int
    lifetime: int
    live: bool = True
    suspicions: tuple[Suspicion, ...] = ()
    abandoned: tuple[Abandoned, ...] = ()
    bans: tuple[Ban, ...] = ()
    arrives_within: Mapping[str, int] = field(default_factory=lambda: ARRIVES_WITHIN)

    def step(self, name: str) -> Step:
        return next(step for step in self.steps if step.name == name)

    def depth(self, name: str) -> int:
        """How many steps lie between this one and the start."""
        after = self.step(name).after
        return 0 if after == "start" else 1 + self.depth(after)

    def beyond(self, name: str) -> set[str]:
        """The steps that come after this one, directly or not."""
        direct = {step.name for step in self.steps if step.after == name}
        return direct.union(*(self.beyond(step) for step in direct))

    def names(self) -> set[str]:
        """Every touchpoint that the definition names."""
        return {
            *self.start.names,
            *(name for step in self.steps for name in step.pattern.names),
            *self.failures,
            *(name for rule in self.repeated for name in rule.pattern.names),
            *(name for rule in self.suspicions if rule.pattern for name in rule.pattern.names),
            *(name for rule in self.bans for name in rule.pattern.names),
            *(rule.never_with for rule in self.bans if rule.never_with is not None),
        }


CHECKOUT: Final = Definition(
    name="checkout",
    key="customer",
    joins=False,
    start=Pattern(("checkout_started",)),
    steps=(
        Step("delivery", Pattern(("delivery_chosen",)), "start"),
        Step("ordered", Pattern(("order_placed",)), "start", 2 * HOUR, "count"),
    ),
    success="ordered",
    failures=("order_cancelled",),
    repeated=(Repeated("checkout_loop", Pattern(("checkout_started",)), 4, 30 * MINUTE, "ordered"),),
    scores=(),
    grace=MINUTE,
    lifetime=DAY,
)

CLICK_AND_COLLECT: Final = Definition(
    name="click_and_collect",
    key="order_id",
    joins=True,
    start=Pattern(("order_placed",), (("fulfilment", "pickup"),)),
    steps=(
        Step("approved", Pattern(("order_approved",)), "start"),
        Step("paid", Pattern(("payment_captured", "invoice_accepted")), "start", 10 * MINUTE),
        Step("ready", Pattern(("ready_for_pickup",)), "paid", 8 * HOUR),
        Step("collected", Pattern(("picked_up",), (("channel", "store"),)), "ready", 2 * DAY, handoff=True),
        Step("asked", Pattern(("feedback_requested",)), "collected", DAY),
        Step("answered", Pattern(("feedback_given",)), "asked", 2 * DAY, "count"),
    ),
    success="collected",
    failures=("order_cancelled", "order_refunded"),
    repeated=(Repeated("payment_trouble", Pattern(("payment_declined",)), 3, 10 * MINUTE, "paid"),),
    scores=(LowScore("bad_pickup", "csat", 3, "collected"),),
    suspicions=(Suspicion("collected_unpaid", "out_of_order", "paid", Pattern(("picked_up",)), 30 * MINUTE),),
    bans=(Ban("cancelled_yet_collected", Pattern(("picked_up",)), never_with="order_cancelled"),),
    grace=MINUTE,
    lifetime=14 * DAY,
)

SERVICE_CASE: Final = Definition(
    name="service_case",
    key="ticket_id",
    joins=False,
    start=Pattern(("ticket_opened",)),
    steps=(
        Step("answered", Pattern(("ticket_answered", "callback_made")), "start", 4 * HOUR),
        Step("told", Pattern(("solution_sent",)), "answered"),
        Step("solved", Pattern(("ticket_solved",)), "told"),
        Step("asked", Pattern(("service_rating_requested",)), "solved", DAY, "count"),
        Step("rated", Pattern(("service_rated",)), "asked", 3 * DAY, "count"),
    ),
    success="solved",
    failures=("ticket_withdrawn",),
    repeated=(),
    scores=(LowScore("hard_work", "ease", 3, "solved"),),
    suspicions=(
        Suspicion("answer_undelivered", "failure_event", "answered", Pattern(("reply_failed",)), 30 * MINUTE),
        Suspicion("asked_too_soon", "out_of_order", "solved", Pattern(("service_rating_requested",)), 30 * MINUTE),
        Suspicion("solved_in_silence", "skipped_step", "told", None, 2 * HOUR),
    ),
    abandoned=(Abandoned("forgotten", 3 * DAY),),
    bans=(Ban("reopened_again", Pattern(("ticket_reopened",)), at_most=1),),
    grace=MINUTE,
    lifetime=30 * DAY,
)

DEFINITIONS: Final = (CHECKOUT, CLICK_AND_COLLECT, SERVICE_CASE)

ENDS_SESSION: Final = frozenset({"signed_out"})
CHANNEL_OF_NAME: Final = {
    "page_viewed": "web",
    "screen_viewed": "app",
    "ready_for_pickup": "store",
    "picked_up": "store",
    "callback_made": "phone",
    "service_rating_requested": "email",
    "store_visited": "store",
    "feedback_requested": "email",
    "review_published": "web",
}
# fmt: off
DECLARED: Final = frozenset((
    "page_viewed", "screen_viewed", "product_viewed", "search_performed", "identified", "signed_out",
    "cart_updated", "checkout_started", "delivery_chosen", "payment_declined", "payment_captured",
    "invoice_accepted", "order_placed", "order_approved", "order_cancelled", "order_refunded",
    "ready_for_pickup", "picked_up", "store_visited", "feedback_requested", "feedback_given",
    "review_published", "ticket_opened", "ticket_answered", "callback_made", "reply_failed", "solution_sent",
    "ticket_solved", "ticket_reopened", "ticket_withdrawn", "service_rating_requested", "service_rated",
))
# fmt: on


def waits(definition: Definition, name: str) -> int:
    """How long after its due a break may be judged, by its name: grace, and how late the touchpoints may arrive that
    it waits for.
    """
    if any(rule.name == name for rule in definition.abandoned):
        names: set[str] = definition.names()
    else:
        step = next((rule.step for rule in definition.suspicions if rule.name == name), name)
        names = set(definition.step(step).pattern.names)
    return definition.grace + max((definition.arrives_within.get(one, 0) for one in names), default=0)
