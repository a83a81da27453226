"""A world of touchpoints with its tables in real ClickHouse, and the questions that `touchline identity` asks of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from rich.console import Console

from deploy.embedded.clickhouse.launch import RunningClickHouse
from deploy.identity.asked import identifier_of, read_id
from deploy.identity.decide import decision_of
from deploy.identity.preview import Preview, preview
from deploy.identity.read import Source
from deploy.identity.show import show
from deploy.identity.touch import Owner, Touch
from deploy.identity.tree import Leaf, Shown
from deploy.identity.why import Why, why
from schemas.control_records import DecisionKind
from schemas.settings import Address
from sinks.clickhouse.migrate import ClickHouseDatabase, migrate
from sinks.clickhouse.statements import Target
from sinks.clickhouse.store import ClickHouseStore, connect
from tests.integration.clickhouse_fixture import clickhouse as clickhouse
from tests.integration.identity_world import READER, RULES, World

GUEST = READER.read("email", "guest@example.com")
SHOP_PHONE = READER.read("phone", "+49301234567")


@dataclass
class Rig:
    """A world, its tables, and the questions asked of them."""

    world: World
    store: ClickHouseStore
    client: Client
    database: str

    @property
    def source(self) -> Source:
        return Source(self._ask, ("browser",))

    def _ask(self, query: str, parameters: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        found = self.client.query(query.replace("DB.", f"{self.database}."), parameters=dict(parameters))
        return [dict(zip(found.column_names, values)) for values in found.result_rows]

    def stored(self) -> Rig:
        self.world.store(self.store)
        return self

    def why(self, message_id: str) -> Why:
        (touch,) = self.source.touchpoint(message_id)
        return why(self.source, touch, RULES, self.world.now)

    def show(self, asked: str) -> Shown:
        return show(self.source, read_id(asked, READER.read), RULES, self.world.now)

    def preview(self, kind: DecisionKind, identifier: str, user_id: str | None = None) -> Preview:
        decision = decision_of(kind, identifier_of(identifier), user_id, "a test", "anna", self.world.now)
        return preview(self.source, decision, RULES, self.world.now)

    def owners(self) -> dict[str, Owner]:
        rows = self._ask("SELECT touchpoint_id, customer_id, attributed_by FROM DB.v_touchpoints", {})
        return {row["touchpoint_id"]: Owner(row["customer_id"] or None, row["attributed_by"]) for row in rows}

    def touches(self) -> list[Touch]:
        return self.source.touches("1", {}, 10_000)


Make = Callable[[], Rig]


@pytest.fixture
def make(clickhouse: RunningClickHouse, request: pytest.FixtureRequest) -> Iterator[Make]:
    """Worlds with a database each, gone with the test."""
    rigs: list[Rig] = []

    def one() -> Rig:
        database = f"identity_{abs(hash(request.node.name)) % 10**9}_{len(rigs)}"
        writer = (clickhouse.writer_user, clickhouse.writer_password)
        address = Address("127.0.0.1", clickhouse.port, *writer, database)
        client = connect(address)
        migrate(ClickHouseDatabase(client, Target(database)), Target(database))
        rigs.append(Rig(World(), ClickHouseStore(address), client, database))
        return rigs[-1]

    yield one
    for rig in rigs:
        rig.client.command(f"DROP DATABASE {rig.database} SYNC")
        rig.client.close()


def lines(drawing: Any, width: int = 80) -> str:
    console = Console(width=width, highlight=False, force_terminal=False)
    with console.capture() as captured:
        console.print(drawing)
    text = captured.get()
    assert all(len(line) <= width for line in text.splitlines())
    return text


def flat(drawing: Any, width: int = 80) -> str:
    """In one line, so that a sentence may be looked for wherever it is broken."""
    return " ".join(lines(drawing, width).split())


def all_leaves(shown: Shown) -> dict[str, Leaf]:
    found: dict[str, Leaf] = {}

    def collect(leaves: tuple[Leaf, ...]) -> None:
        for leaf in leaves:
            found[leaf.identifier] = leaf
            collect(leaf.children)

    for branch in shown.branches:
        collect(branch.leaves)
    return found


def busy(world: World, seed: int, touchpoints: int = 45) -> None:
    """Few identifiers, many touchpoints: devices shared, cards handed on, e-mails in chains, keys, decisions. All
    within what the workers remember.
    """
    rng = Random(seed)
    users, devices = [f"u{n}" for n in range(5)], [f"a{n}" for n in range(4)]
    emails, cards = [f"p{n}@example.com" for n in range(5)], [f"C{n}" for n in range(4)]
    for number in range(touchpoints):
        said: dict[str, str] = {}
        for kind, values, chance in (
            ("anonymous_id", devices, 0.5),
            ("user_id", users, 0.35),
            ("email", emails, 0.35),
            ("loyalty_card", cards, 0.35),
            ("order_id", ["7", "8", "9"], 0.25),
        ):
            if rng.random() < chance:
                said[kind] = rng.choice(values)
        name = rng.choice(["page_viewed", "identified", "order_placed", "payment_declined", "signed_out"])
        browser = rng.random() < 0.2
        source, trust = ("browser", "browser") if browser else ("till", "server")
        late = 80.0 if number < 30 and rng.random() < 0.1 else 0.0
        world.tell(name, hours=30 + 1.6 * number + rng.uniform(-20, 20), source=source, trust=trust, late=late, **said)
    for _ in range(4):
        verb: DecisionKind = rng.choice(("link", "unlink", "block"))
        if verb == "block":
            world.decide("block", rng.choice([f"user_id:{users[0]}", f"loyalty_card:{cards[0]}", "order_id:7"]))
        else:
            identifier = rng.choice([f"anonymous_id:{rng.choice(devices)}", f"loyalty_card:{rng.choice(cards)}"])
            world.decide(verb, identifier, rng.choice(users))


def handed_on(world: World) -> None:
    """u1's card is used with the e-mail of somebody else, who then orders by that e-mail."""
    world.tell("signed_up", hours=0, source="till", user_id="u1", loyalty_card="C1", message_id="sign-up")
    world.tell("purchase", hours=1, source="till", loyalty_card="C1", email="guest@example.com", message_id="handed-on")
    pickup = {"order_id": "7788", "fulfilment": "pickup"}
    said: dict[str, Any] = {"email": "guest@example.com", "order_id": "7788"}
    world.tell("order_placed", hours=2, source="till", properties=pickup, message_id="order", **said)
    for number in range(3):
        reason = {"order_id": "7788", "reason": "limit"}
        world.tell("payment_declined", hours=2.01 + number / 100, source="payments", properties=reason, order_id="7788")
