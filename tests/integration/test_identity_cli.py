"""`touchline identity` on real ClickHouse and real Kafka: what it explains is what the workers did, what it previews is
what they do.
"""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from rich.console import Console

from deploy.cli.identity_screens import preview_screen, show_screen, why_screen
from deploy.embedded.clickhouse.launch import RunningClickHouse
from deploy.identity.asked import Customer, Unclear, identifier_of, read_id
from deploy.identity.decide import decision_of, has_arrived, moved
from deploy.identity.preview import Preview, preview
from deploy.identity.read import Source
from deploy.identity.show import find, show
from deploy.identity.touch import Owner, Touch
from deploy.identity.tree import Leaf, Shown
from deploy.identity.why import Why, why
from schemas.identifiers import customer_of
from schemas.records import DecisionKind
from schemas.settings import Address
from sinks.clickhouse.migrate import ClickHouseDatabase, migrate
from sinks.clickhouse.statements import Target
from sinks.clickhouse.store import ClickHouseStore, connect
from tests.integration.clickhouse_fixture import clickhouse as clickhouse
from tests.integration.identity_world import READER, RULES, World
from tests.integration.test_cli import Deployment, alive, eventually

pytestmark = pytest.mark.timeout(280)
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


# -- laws --------------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("seed", [1, 2])
def test_every_explanation_says_what_the_workers_did(make: Make, seed: int) -> None:
    rig = make()
    busy(rig.world, seed)
    rig.stored()
    wrong = []
    rules = set()
    for touch in rig.touches():
        found = why(rig.source, touch, RULES, rig.world.now)
        rules.add(found.owner.by)
        if found.owner != touch.owner:
            wrong.append((touch.name, touch.origin, touch.contacts, touch.owner, found.owner))
    assert wrong == []
    assert {"user_id", "contact", "device"} <= rules


@pytest.mark.parametrize("seed", [4, 5])
def test_a_decision_changes_what_its_preview_said_and_nothing_else(make: Make, seed: int) -> None:
    rig = make()
    busy(rig.world, seed)
    rig.stored()
    made: list[tuple[DecisionKind, str, str | None]] = [
        ("unlink", "loyalty_card:C1", "u1"),
        ("link", "anonymous_id:a1", "u2"),
        ("block", "user_id:u3", None),
        ("block", "order_id:8", None),
        ("link", "loyalty_card:C2", "u4"),
    ]
    for kind, identifier, user in made:
        before, expected = rig.owners(), rig.preview(kind, identifier, user)
        rig.world.decide(kind, identifier, user)
        after = rig.stored().owners()
        changed = {name for name, owner in after.items() if owner.customer_id != before[name].customer_id}
        assert changed == {move.touch.touchpoint_id for move in expected.moves}, (kind, identifier)
        assert {move.touch.touchpoint_id: move.after for move in expected.moves} == {
            name: after[name] for name in changed
        }
        assert moved(rig.source, expected) == (len(changed), len(changed))


# -- cases -------------------------------------------------------------------------------------------------------------


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


def test_a_wrong_merge_by_card_is_seen_explained_and_split(make: Make) -> None:
    rig = make()
    handed_on(rig.world)
    rig.stored()
    u1, guest = customer_of("user_id", "u1"), customer_of("email", str(GUEST))
    order = rig.why("order")
    assert (order.owner, order.user_id, order.differs) == (Owner(u1, "contact"), "u1", False)
    assert [link.other for link in order.namings[0].path] == ["loyalty_card:C1", "user_id:u1"]
    assert [one.definition for one in order.journeys] == ["click_and_collect"]
    assert "payment_trouble" in " ".join(one.first_line for one in order.alerts)
    leaves = all_leaves(rig.show("user_id:u1"))
    assert {"loyalty_card:C1", f"email:{GUEST}", "order_id:7788"} <= leaves.keys()
    chained = leaves[f"email:{GUEST}"].edge
    assert chained is not None
    assert chained.rule == "chain"

    expected = rig.preview("unlink", "loyalty_card:C1", "u1")
    assert {move.after.customer_id for move in expected.moves if move.touch.message_id == "order"} == {guest}
    assert len(expected.moves) == 5
    assert [one.anchor for one in expected.journeys] == ["order_id:7788"]
    assert len(expected.alerts) == len(order.alerts)
    decision = rig.world.decide("unlink", "loyalty_card:C1", "u1", "card handed on")
    rig.stored()
    assert has_arrived(rig.source, decision)

    split = rig.why("order")
    assert (split.owner, split.touch.owner) == (Owner(guest, "contact"), Owner(guest, "contact"))
    assert [one.customer_id for one in split.journeys] == [guest]
    assert len(split.alerts) == len(order.alerts), "the trouble is still open, for its new customer"
    assert [one.reason for one in split.decisions] == ["card handed on"]
    assert rig.why("sign-up").owner == Owner(u1, "user_id")
    assert "card handed on" in flat(show_screen(rig.show("loyalty_card:C1")))
    told = rig.client.query(
        f"SELECT state FROM {rig.database}.v_alerts WHERE customer_id = {{u1:String}}", parameters={"u1": u1}
    )
    assert {row[0] for row in told.result_rows} <= {"moved"}


def test_what_a_split_leaves_joined_is_said(make: Make) -> None:
    rig = make()
    rig.world.tell("signed_up", hours=0, source="till", user_id="u1", loyalty_card="C1", email="guest@example.com")
    rig.world.tell("purchase", hours=1, source="till", loyalty_card="C1", phone="+4915112345678")
    rig.stored()
    phone = f"phone:{READER.read('phone', '+4915112345678')}"
    assert rig.preview("unlink", "loyalty_card:C1", "u1").still == (phone,)


def test_devices_kiosks_and_claims(make: Make) -> None:
    rig = make()
    world = rig.world
    world.tell("page_viewed", hours=0, anonymous_id="a1", message_id="before")
    world.tell("identified", hours=1, anonymous_id="a1", user_id="u1", message_id="login")
    world.tell("signed_out", hours=2, anonymous_id="a1")
    world.tell("page_viewed", hours=3, anonymous_id="a1", order_id="7", message_id="after")
    for number in range(6):
        world.tell("identified", hours=4 + number / 10, anonymous_id="tablet", user_id=f"x{number}")
    world.tell("page_viewed", hours=5, anonymous_id="tablet", message_id="kiosk")
    world.tell("payment_declined", hours=5, source="payments", order_id="7", message_id="keyed")
    world.tell("payment_declined", hours=5, source="payments", order_id="8", message_id="waits")
    world.tell("page_viewed", hours=-100, anonymous_id="a1", late=105, message_id="late")
    world.tell(
        "page_viewed", hours=6, source="browser", trust="browser", user_id="u1", anonymous_id="b", message_id="says"
    )
    rig.stored()
    before, after = rig.why("before"), rig.why("after")
    assert before.after is not None
    assert (before.user_id, before.after.touch.message_id, before.after.fault) == ("u1", "login", "")
    assert after.before is not None
    assert (after.owner.by, after.before.fault) == ("device", "logout")
    kiosk = rig.why("kiosk")
    assert kiosk.kiosk is not None
    assert (kiosk.kiosk.users, kiosk.owner.by) == (6, "device")
    assert rig.why("keyed").owner == Owner(customer_of("anonymous_id", "a1"), "business_key")
    assert (rig.why("waits").owner.by, rig.why("late").touch.too_late) == ("waiting", True)
    words = {name: flat(why_screen(rig.why(name))) for name in ("kiosk", "keyed", "waits", "late", "says", "after")}
    for name, said in (
        ("kiosk", "was a kiosk: 6 users"),
        ("keyed", "claimed first by page_viewed"),
        ("waits", "order_id:8 waits"),
        ("late", "too late"),
        ("says", "a browser said so without a proof"),
        ("after", "signed out"),
    ):
        assert said in words[name]
    marks = {mark.kind for mark in rig.show("anonymous_id:tablet").marks}
    assert marks == {"kiosk", "shared"}
    assert {mark.kind for mark in rig.show("order_id:8").marks} == {"waiting"}
    assert rig.show("order_id:7").customer_id == customer_of("anonymous_id", "a1")


def test_crowds_are_bounded_and_marked(make: Make) -> None:
    rig = make()
    for number in range(60):
        rig.world.tell("purchase", hours=number / 10, source="till", user_id="till", email=f"p{number}@example.com")
        rig.world.tell("identified", hours=number / 10, anonymous_id=f"d{number}", user_id="till")
    rig.stored()
    shown = rig.show("user_id:till")
    branches = {branch.group: branch for branch in shown.branches}
    assert branches["devices"].more == 60 - len(branches["devices"].leaves)
    assert branches["apart"].more + len(branches["apart"].leaves) == 60
    assert {mark.kind for leaf in branches["apart"].leaves for mark in leaf.marks} == {"crowded"}
    assert "crowded" in flat(show_screen(shown))
    email = rig.show("email:p3@example.com")
    assert email.naming is not None
    assert (email.naming.user_id, email.root) == (None, f"email:{READER.read('email', 'p3@example.com')}")


def test_ids_as_screens_show_them_lead_back(make: Make) -> None:
    rig = make()
    handed_on(rig.world)
    rig.stored()
    u1 = customer_of("user_id", "u1")
    for asked in (u1, u1[:8], u1.upper()):
        assert find(rig.source, Customer(asked.lower())) == "user_id:u1"
        assert rig.show(asked).root == "user_id:u1"
    beginning = f"email:{str(GUEST)[:13]}…"
    assert rig.show(beginning).asked == f"email:{GUEST}"
    (touch,) = rig.source.touchpoint("order")
    assert rig.source.touchpoint(touch.touchpoint_id[:8]) == [touch]
    with pytest.raises(Unclear, match="no customer 00000000"):
        rig.show("00000000")
    with pytest.raises(Unclear, match="nothing stored begins"):
        rig.show("email:hmac:00000000")


def test_every_screen_fits_80_columns_and_100(make: Make) -> None:
    rig = make()
    busy(rig.world, 7, touchpoints=30)
    rig.stored()
    shown = [rig.show(asked) for asked in ("user_id:u1", "anonymous_id:a1", "loyalty_card:C1", "order_id:7")]
    answers = [why(rig.source, touch, RULES, rig.world.now) for touch in rig.touches()[:5]]
    expected = rig.preview("block", "user_id:u1")
    for width in (80, 100):
        for tree in shown:
            assert tree.root in lines(show_screen(tree), width)
        for answer in answers:
            screen, touch = flat(why_screen(answer), width), answer.touch
            assert touch.touchpoint_id in screen
            assert f"touchpoints.raw/{touch.raw_partition}/{touch.raw_offset}" in screen
        assert "changes hands" in lines(preview_screen(expected), width)


# -- as a person would use it ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    found = Deployment(tmp_path_factory.mktemp("identity") / "data")
    try:
        assert "everything is ready" in found.run("up")
        yield found
    finally:
        found.run("down")
        assert alive(found.home) == []


def sell(deployment: Deployment) -> None:
    now = int(time.time())

    def one(name: str, seconds_ago: int, properties: dict[str, str] | None = None, **said: str) -> dict[str, Any]:
        at = datetime.fromtimestamp(now - seconds_ago, UTC).isoformat()
        named = said.pop("message_id")
        return {
            "message_id": named,
            "name": name,
            "occurred_at": at,
            "identifiers": said,
            "properties": properties or {},
        }

    pickup = {"order_id": "7788", "fulfilment": "pickup"}
    guest: dict[str, Any] = {"email": "Guest@Example.com"}
    touchpoints = [
        one("signed_up", 900, user_id="u1", loyalty_card="C1", message_id="sign-up"),
        one("purchase", 800, loyalty_card="C1", message_id="handed-on", **guest),
        one("order_placed", 700, pickup, order_id="7788", message_id="order", **guest),
    ]
    assert deployment.post("till", "/v1/touchpoints", {"touchpoints": touchpoints})["refused"] == 0
    declined = [one("payment_declined", 60 - n, pickup, order_id="7788", message_id=f"no-{n}") for n in range(3)]
    assert deployment.post("payments", "/v1/touchpoints", {"touchpoints": declined})["refused"] == 0


@pytest.mark.timeout(600)
def test_a_support_agent_finds_a_wrong_merge_and_splits_it(deployment: Deployment) -> None:
    sell(deployment)
    u1 = customer_of("user_id", "u1")
    deployment.until("payment_trouble", "identity", "why", "order")
    found = deployment.until("u1", "identity", "why", "order")
    for expected in (u1, "its e-mail, phone or card", "seen together with loyalty_card:C1", "began it"):
        assert expected in found
    tree = deployment.run("identity", "show", "email:guest@example.com")
    for expected in ("user_id:u1", "loyalty_card:C1", "chain 1×", "order_id:7788"):
        assert expected in tree
    assert "guest@" not in tree.lower()
    split = ("identity", "split", "loyalty_card:C1", "--from", "u1", "--reason", "card handed on, ticket 4411")
    assert "Decide so?" in deployment.run(*split, code=1), "without an answer nothing is decided"
    assert "decided by hand" not in deployment.run("identity", "show", "loyalty_card:C1")
    done = deployment.run(*split, "--yes", "--by", "anna")
    for expected in ("5 touchpoints", "click_and_collect order_id:7788", "The decision is in force"):
        assert expected in done
    guest = "SELECT customer_id FROM v_touchpoints WHERE message_id = 'order'"
    assert eventually(lambda: deployment.sql(guest).strip() not in ("", u1))
    owner = deployment.sql(guest).strip()
    journeys = "SELECT DISTINCT customer_id FROM v_journeys_now WHERE anchor = 'order_id:7788'"
    assert eventually(lambda: deployment.sql(journeys).split() == [owner])
    open_alerts = "SELECT DISTINCT customer_id FROM v_broken_journeys_now WHERE anchor = 'order_id:7788'"
    assert eventually(lambda: deployment.sql(open_alerts).split() == [owner])
    shown = deployment.run("identity", "show", "loyalty_card:C1")
    assert "card handed on, ticket 4411" in shown
    assert "anna" in shown
    lifted = deployment.run("identity", "lift", "loyalty_card:C1", "--reason", "it was right", "--yes")
    assert "The decision is in force" in lifted
    assert eventually(lambda: deployment.sql(guest).strip() == u1)


def test_nonsense_is_refused_with_help(deployment: Deployment) -> None:
    for said, arguments in (
        ("Did you mean email?", ("show", "mail:x")),
        ("Two users are never one customer", ("link", "user_id:u1", "u2", "--reason", "x")),
        ("say why with --reason", ("block", "loyalty_card:C1")),
        ("no decision on loyalty_card:C9", ("lift", "loyalty_card:C9", "--reason", "x")),
    ):
        assert said in deployment.run("identity", *arguments, code=2)
    assert "no touchpoint nothing-like-it is stored" in deployment.run("identity", "why", "nothing-like-it", code=1)
    unseen = ("identity", "block", "loyalty_card:never", "--reason", "stolen before use")
    assert "has been seen yet" in deployment.run(*unseen, code=1)


def test_proof_is_what_a_server_would_make(deployment: Deployment) -> None:
    secret = json.loads((deployment.home / "secrets.json").read_text())["proof_secret"]
    right = hmac.new(secret.encode(), b"u1", "sha256").hexdigest()
    assert deployment.run("identity", "proof", "user_id:u1").strip() == right
