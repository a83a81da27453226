"""The squash against a real ClickHouse: no view changes at any moment, whatever dies, and whatever comes again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from deploy.embedded.clickhouse.launch import RunningClickHouse
from schemas.control_records import Naming
from schemas.identifiers import customer_of
from schemas.records import Attach, Detach, Resolved
from sinks.clickhouse.squash import Bounds, ClickHouseTables, Squash, Squashed
from tests.integration.clickhouse_fixture import clickhouse as clickhouse
from tests.integration.loader_rig import Rig, rigs, until
from tests.integration.patience import PATIENCE_SECONDS
from tests.integration.tables_rig import Tables, tables_of
from tests.sink_records import DAY_AT, attach, customer, detach, naming, resolved

pytestmark = pytest.mark.timeout(300)
DAY_MS = 86_400_000
OLD, YOUNG = DAY_AT - 10 * DAY_MS, DAY_AT
CARDS = ("loyalty_card:L0", "loyalty_card:L1", "loyalty_card:L2")
Moves = list[Resolved | Attach | Detach | Naming]


class Killed(BaseException):
    """Stands for SIGKILL."""


class Watched:
    """The tables of a squash; `seen` is called before each statement and after each that changes something."""

    def __init__(self, inner: ClickHouseTables, seen: Callable[[], None]) -> None:
        self._inner, self._seen = inner, seen

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        self._seen()
        return self._inner.ask(query)

    def do(self, statement: str) -> None:
        self._seen()
        self._inner.do(statement)
        self._seen()


@pytest.fixture
def tables(clickhouse: RunningClickHouse) -> Iterator[Tables]:
    yield from tables_of(clickhouse)


def card_touchpoint(number: int, log_time: int, account: bool = False) -> Resolved:
    """Carries a card; every third is on a device that a login gave away."""
    card = CARDS[number % len(CARDS)]
    kind, value = card.split(":")
    fields: dict[str, Any] = {"log_time": log_time, "contacts": [card], "keys": {}, "rev": number}
    names = {kind: value} | ({"account_id": "firm"} if account else {})
    if number % 3 == 2:
        fields |= {"origin": f"anonymous_id:d{number % 5}", "attributed_by": "login", "customer_id": customer(7)}
    else:
        fields |= {"origin": card, "attributed_by": "contact", "customer_id": customer_of(kind, value)}
    return resolved(number, **fields, identifiers=names)


def moves() -> Moves:
    """60 touchpoints, a third of them young; moved never, once, twice, to nobody; and one move of an unknown one."""
    records: Moves = [card_touchpoint(n, YOUNG if n % 3 == 0 else OLD + n) for n in range(60)]
    records += [attach([n for n in range(60) if n % 2], 30, offset=100)]
    records += [attach([n for n in range(60) if n % 5 == 0], 31, offset=110)]
    records += [detach([n for n in range(60) if n % 7 == 0], 31, offset=120), attach([999], 32, offset=130)]
    return [*records, naming(CARDS[0], "u1", offset=5)]


def shown(tables: Tables) -> dict[str, Any]:
    """All that a reader of the views may see."""
    timeline = "SELECT customer_id, detail, id FROM DB.v_customer_timeline ORDER BY ALL"
    links = "SELECT * FROM DB.v_identity_links ORDER BY ALL"
    return {"owners": tables.owners(), "timeline": tables.select(timeline), "links": tables.select(links)}


def squash(tables: Tables, seen: Callable[[], None] = lambda: None, rows: int = 1_000) -> Squash:
    inner = ClickHouseTables(tables.address)
    return Squash(Watched(inner, seen), tables.address.database, Bounds(keep_ms=DAY_MS, rows=rows, at_once=15))


def old_and_moved() -> set[int]:
    return {n for n in range(60) if n % 3 and (n % 2 or n % 5 == 0 or n % 7 == 0)}


def test_no_view_changes_between_any_two_steps(tables: Tables) -> None:
    records = moves()
    tables.put(*records[:60])
    for record in records[60:]:
        tables.put(record)  # Each a part of its own: older revs stay beside newer ones.
    before = shown(tables)
    looks = Counter[str]()

    def look() -> None:
        looks["all"] += 1
        assert shown(tables) == before

    first, second, third = (squash(tables, look).run() for _ in range(3))
    assert (first.removed, first.written) == (0, len(old_and_moved()))
    assert (second.removed, second.written, third.written) == (len(old_and_moved()), 0, 0)
    assert looks["all"] > 10
    for _ in range(3):  # Older revs of what was removed are removed after it.
        squash(tables).run()
    left = {int(str(name), 16) for (name,) in tables.select("SELECT DISTINCT touchpoint_id FROM DB.attributions")}
    moved = {n for n in range(60) if n % 2 or n % 5 == 0 or n % 7 == 0} | {999}
    assert left == moved - old_and_moved(), "the young ones, and the one that nobody knows"
    assert shown(tables) == before
    assert squash(tables).run() == Squashed(0, 0, False)


def test_the_law_bites(tables: Tables) -> None:
    """Without its attribution a touchpoint that was not rewritten shows its former customer."""
    tables.put(*moves())
    before = shown(tables)
    tables.client.command(f"DELETE FROM {tables.address.database}.attributions WHERE rev = 110")
    after = shown(tables)
    assert after["owners"] != before["owners"]
    assert after["timeline"] != before["timeline"]


@pytest.mark.parametrize("statement", [4, 5, 8, 9, 10])  # Around the write, around the first removal, amid removing.
def test_a_kill_at_any_statement_and_old_rows_again_change_nothing(tables: Tables, statement: int) -> None:
    records = moves()
    tables.put(*records)
    before = shown(tables)
    taken = Counter[str]()

    def die() -> None:
        taken["all"] += 1
        if taken["all"] == statement:
            raise Killed

    def passes() -> None:
        for _ in range(5):
            squash(tables, die).run()

    with pytest.raises(Killed):
        passes()
    assert shown(tables) == before
    for start in range(0, len(records), 13):
        tables.put(*records[start : start + 13])  # Under other tokens, so ClickHouse stores them all again.
    assert shown(tables) == before
    for _ in range(4):
        squash(tables).run()
        assert shown(tables) == before
    tables.put(*records)
    assert shown(tables) == before


def test_a_move_that_arrives_between_writing_and_removing_stays(tables: Tables) -> None:
    tables.put(*moves())
    squash(tables).run()
    number = min(old_and_moved())
    tables.put(attach([number], 44, offset=500))
    while squash(tables).run() != Squashed(0, 0, False):
        assert tables.owners()[f"m{number}"][0] == customer(44)
    tables.put(attach([number], 45, offset=600))
    assert tables.owners()[f"m{number}"][0] == customer(45)


def test_two_at_once_do_no_harm(tables: Tables) -> None:
    tables.put(*moves())
    before = shown(tables)
    other = squash(tables)
    squash(tables, lambda: void(other.run())).run()
    assert shown(tables) == before


def void(_: object) -> None:
    return None


def test_a_pass_is_bounded_and_many_passes_do_all(tables: Tables) -> None:
    tables.put(*moves())
    before = shown(tables)
    written = []
    for _ in range(40):
        done = squash(tables, rows=5).run()
        assert done.written <= 5
        assert done.removed <= 5
        assert done.more == (5 in (done.written, done.removed))
        written.append(done.written)
        assert tables.owners() == before["owners"]
        if done == Squashed(0, 0, False):
            break
    assert sum(written) == len(old_and_moved())
    assert shown(tables) == before


class Book:
    """What the views must show, kept by hand: the last word on each touchpoint, on each card."""

    def __init__(self) -> None:
        self.last: dict[int, tuple[int, str, str]] = {}
        self.named: dict[str, tuple[int, str | None]] = {}

    def owner(self, number: int) -> str:
        _, owner, rule = self.last[number]
        card = CARDS[number % len(CARDS)]
        if rule != "contact":
            return owner
        user = self.named.get(card, (0, None))[1]
        return customer_of(*card.split(":")) if user is None else customer_of("user_id", user)

    def counts(self) -> Counter[str]:
        return Counter(self.owner(number) for number in self.last)


@pytest.mark.parametrize("seed", range(3))
def test_counts_balance_whatever_moves(tables: Tables, seed: int) -> None:
    """The sum over customers is the number of touchpoints in every view; what one customer loses others gain."""
    random = Random(seed)
    book = Book()
    history: Moves = []
    before: Counter[str] = Counter()
    for offset in range(1_000, 1_040):
        some = (
            sorted(random.sample(sorted(book.last), k=random.randint(1, max(1, len(book.last) // 3))))
            if offset > 1_000
            else []
        )
        added = 0
        match (
            random.choice(("new", "attach", "attach", "detach", "naming", "naming", "write", "remove", "again"))
            if some
            else "new"
        ):
            case "new":
                added = 10
                for number in range(len(book.last), len(book.last) + added):
                    record = card_touchpoint(number, OLD + number if random.random() < 0.8 else YOUNG, account=True)
                    book.last[number] = (number, record.customer_id or "", record.attributed_by)
                    history.append(record)
                    tables.put(record)
            case "attach":
                history.append(attach(some, random.randrange(5), offset=offset))
                book.last |= {n: (offset, customer_of_attach(history[-1]), "login") for n in some}
                tables.put(history[-1])
            case "detach":
                history.append(detach(some, 1, offset=offset))
                book.last |= dict.fromkeys(some, (offset, "", "waiting"))
                tables.put(history[-1])
            case "naming":
                card, user = random.choice(CARDS), random.choice((None, "u1", "u2"))
                book.named[card] = (offset, user)
                history.append(naming(card, user, offset=offset))
                tables.put(history[-1])
            case "write":
                squash(tables).write(DAY_AT - DAY_MS)
            case "remove":
                squash(tables).remove(DAY_AT - DAY_MS)
            case "again":
                tables.put(*random.sample(history, k=len(history) // 2))
        after = check_balance(tables, book)
        assert sum((after - before).values()) - sum((before - after).values()) == added
        before = after
    for _ in range(4):
        squash(tables).run()
        assert check_balance(tables, book) == before


def customer_of_attach(record: object) -> str:
    assert isinstance(record, Attach)
    return record.customer_id


def check_balance(tables: Tables, book: Book) -> Counter[str]:
    """Every view counts as the book does."""
    expected = book.counts()
    by_view = {
        "v_touchpoints": "SELECT customer_id, count() FROM DB.v_touchpoints GROUP BY 1",
        "v_customer_timeline": "SELECT customer_id, count() FROM DB.v_customer_timeline GROUP BY 1",
        "v_customer_accounts": "SELECT customer_id, sum(touchpoints) FROM DB.v_customer_accounts GROUP BY 1",
    }
    for view, query in by_view.items():
        found = Counter({str(owner): int(number) for owner, number in tables.select(query)})
        nobody = found[""] if view != "v_customer_accounts" else expected[""]
        assert (found | Counter({"": nobody})) == expected, view
        assert sum(found.values()) + (nobody if "" not in found else 0) == len(book.last), view
    return expected


def test_the_loader_squashes_by_itself(kafka: str, clickhouse: RunningClickHouse, topic_prefix: str) -> None:
    for rig in rigs(kafka, clickhouse, topic_prefix):
        run_loader(rig)


def run_loader(rig: Rig) -> None:
    rig.client.command(f"SYSTEM START MERGES {rig.address.database}.attributions")  # Deleting needs them.
    rig.produce("touchpoints", [resolved(n, offset=n) for n in range(100)])
    rig.produce("touchpoints", [attach(list(range(50)), 3, offset=200)])
    process = rig.process(TOUCHLINE_SQUASH_INTERVAL_MS="200", TOUCHLINE_SQUASH_AFTER_MS="0")
    moved = f"SELECT count() FROM v_touchpoints WHERE customer_id = '{customer(3)}' AND attributed_by = 'login'"
    until(lambda: rig.select(moved) == [(50,)], "the moves")
    until(lambda: rig.count("attributions") == 0, "an empty table of attributions")
    rig.produce("touchpoints", [resolved(n, offset=n + 300) for n in range(100, 120)])
    rig.produce("touchpoints", [attach(list(range(10)), 4, offset=500)])
    until(lambda: rig.count("v_touchpoints") == 120, "all touchpoints")
    again = moved.replace(customer(3), customer(4))
    until(lambda: rig.select(again) == [(10,)] and rig.select(moved) == [(40,)], "the second move")
    process.terminate()
    assert process.wait(PATIENCE_SECONDS) == 0
    assert rig.count("v_touchpoints") == 120
