"""Everybody else: people who look around, share a tablet, stand at a kiosk; and what goes wrong on the way in.

Nothing here begins a journey, so nothing here may be found broken.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from sources.simulation.plan import DAY, HOUR, MINUTE, SECOND, Emitter
from sources.simulation.teller import Teller

Visit = Callable[[Teller, int], None]


def look_around(t: Teller, at: int) -> None:
    where: Emitter = t.rng.choice(("web", "app"))
    if t.rng.random() < 0.3:
        t.sign_in(where, at)
    at = t.browse(where, at + 5 * SECOND, t.rng.randint(4, 14))
    t.on_device(where, "search_performed", at, query_length=t.rng.randint(2, 30))
    if t.rng.random() < 0.3:
        t.on_device(where, "cart_updated", at + 20 * SECOND, items=t.rng.randint(0, 4))
    if t.rng.random() < 0.15:
        t.on_device(where, "signed_out", at + 30 * SECOND)
        t.browse(where, at + 40 * SECOND, 3)


def change_channel(t: Teller, at: int) -> None:
    at = t.browse("web", at, 4)
    t.sign_in("app", at + MINUTE)
    t.browse("app", at + 2 * MINUTE, 4)
    if t.person.user_id is not None:
        identifiers = {"user_id": t.person.user_id}
        t.add(
            "till",
            "store_visited",
            at + t.soon(30, 300),
            identifiers,
            channel="store",
            properties={"store_id": t.store},
        )


def share_a_tablet(t: Teller, at: int) -> None:
    """Two people on one device: what lies between their logins belongs to neither."""
    tablet = {"anonymous_id": f"tablet-{t.serial}"}
    other = f"u{900_000 + t.serial}"
    t.add("web", "page_viewed", at, tablet, properties={"name": "home"})
    for minutes, user in ((1, t.person.user_id or f"u{800_000 + t.serial}"), (20, other)):
        t.add("web", "identified", at + minutes * MINUTE, tablet | {"user_id": user})
        t.add("web", "page_viewed", at + (minutes + 2) * MINUTE, tablet, properties={"name": "product"})
    t.add("web", "page_viewed", at + 30 * MINUTE, tablet, properties={"name": "help"})


def kiosk(t: Teller, at: int) -> None:
    """Six people sign in at one screen in a store."""
    screen = {"device_id": f"kiosk-{t.serial}"}
    for number in range(6):
        moment = at + number * 4 * MINUTE
        t.add("app", "identified", moment, screen | {"user_id": f"u{700_000 + 10 * t.serial + number}"})
        t.add("app", "screen_viewed", moment + MINUTE, screen, properties={"name": "offers"})


def publish_review(t: Teller, at: int) -> None:
    """A public review names nobody; a cash receipt names only itself."""
    t.add("crm", "review_published", at, {}, properties={"stars": t.rng.randint(1, 5)})
    t.add(
        "till",
        "store_visited",
        at + HOUR,
        {"receipt_id": f"r{t.serial}"},
        channel="store",
        properties={"store_id": t.store},
    )


def undeclared(t: Teller, at: int) -> None:
    """A name that is in no catalogue is stored all the same."""
    t.on_device("web", "serch_performed", at, query_length=3)
    t.browse("web", at + MINUTE, 2)


def too_late(t: Teller, at: int) -> None:
    """Uploaded after four days: stored, counted, part of nothing."""
    t.add("app", "screen_viewed", at, t.device("app"), properties={"name": "home"}, arrives_after=4 * DAY)


def placeholder(t: Teller, at: int) -> None:
    t.add("web", "page_viewed", at, {"anonymous_id": "null"}, properties={"name": t.store})


VISITS: tuple[tuple[Visit, int], ...] = (
    (look_around, 60),
    (change_channel, 20),
    (share_a_tablet, 6),
    (kiosk, 1),
    (publish_review, 4),
    (undeclared, 4),
    (too_late, 2),
    (placeholder, 2),
)


def visit(rng: Random) -> Visit:
    return rng.choices([one for one, _ in VISITS], [weight for _, weight in VISITS])[0]
