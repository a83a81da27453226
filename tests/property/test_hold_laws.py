"""Customers on a random schedule of a till's words, silences, uploads and restarts: who is told, and at which tick."""

from __future__ import annotations

from random import Random
from typing import Final

import pytest

from tests.journey_case import NOON
from tests.property.test_silence_laws import CATCHES_UP, Told, all_time, lets_pass
from tests.silence_case import SECOND, SOURCES, World

END: Final = 300
FIRES_AFTER: Final = 21
"""Seconds from the order: the deadline, and the grace."""


Known = tuple[int | None, list[tuple[int, int | None]]]
"""Of a till as of a tick: h(W) and the holds."""


class Customer:
    """The page for one order, read out at each record: what was told of it, with the second."""

    def __init__(self, store: str, ordered: int) -> None:
        self.store, self.fire = store, ordered + FIRES_AFTER
        self.collected: int | None = None
        self.max_log = ordered
        self.judged = False
        self.states: list[tuple[str, int]] = []

    def look(self, till: Known, w: int) -> None:
        heard_at, holds = till
        in_time = self.collected is not None and self.collected <= self.fire
        f = self.fire if self.judged or self.collected is not None else max(self.fire, self.max_log)
        exists = not in_time and w >= f and lets_pass(heard_at, holds, self.fire, w)
        self.judged = exists and self.collected is None
        was = self.states[-1][0] if self.states else None
        now = None if was is None else "withdrawn"
        if exists:
            now = "firing" if self.collected is None else "resolved"
        if now is not None and now != was:
            self.states.append((now, w))


@pytest.mark.parametrize("seed", range(16))
def test_who_is_told_and_when(seed: int) -> None:
    rng = Random(seed)
    world = World(sources={"till-{store}": SOURCES["till-{store}"] | {"catches_up": f"{CATCHES_UP}s"}})
    tills = {store: Told() for store in ("1", "2")}
    pace = dict.fromkeys(tills, 3)
    customers: dict[str, Customer] = {}
    w = 0
    known: dict[str, Known] = {store: (None, []) for store in tills}
    for second in range(1, END):
        for store in tills:
            if rng.random() < 0.02:
                pace[store] = rng.choice((1, 3, 6, 60, 90))
        if rng.random() < 0.15:
            order = str(len(customers))
            customers[order] = Customer(rng.choice(("1", "1", "2")), second - rng.randrange(4))
            world.comes("ordered", customers[order].fire - FIRES_AFTER, order, log=second, store=customers[order].store)
            customers[order].max_log = second
            customers[order].look(known[customers[order].store], w)
        waiting = [(order, one) for order, one in customers.items() if one.collected is None]
        if waiting and rng.random() < 0.12:
            order, one = rng.choice(waiting)
            one.collected = max(one.fire - FIRES_AFTER + 1, second - rng.choice((0, 0, 5, 20, 60)))
            world.comes("picked_up", one.collected, order, log=second)
            one.max_log = second
            one.look(known[one.store], w)
        if second % 2 == 0:
            heard = {store: (second, second) for store in tills if rng.random() * pace[store] < 1}
            for store, (first, _) in heard.items():
                tills[store].moments.add(first)
            said = {f"till-{store}": (NOON + at * SECOND, NOON + at * SECOND) for store, (at, _) in heard.items()}
            world.reported(NOON + second * SECOND, 0, said)
            w = second
            for store, till in tills.items():
                known[store] = till.heard_at(w), till.holds(w, all_time)
            for one in customers.values():
                one.look(known[one.store], w)
        if rng.random() < 0.05:
            world.restart_track()
    got: dict[str, list[tuple[str, int]]] = {order: [] for order in customers}
    for alert in world.out.alerts:
        got[alert["anchor"].removeprefix("order_id:")].append((alert["state"], (alert["changed_at"] - NOON) // SECOND))
    states = {order: [state for state, _ in found] for order, found in got.items()}
    assert states == {order: [state for state, _ in one.states] for order, one in customers.items()}
    fired = {order: at for order, found in got.items() for state, at in found if state == "firing"}
    assert fired == {order: at for order, one in customers.items() for state, at in one.states if state == "firing"}
