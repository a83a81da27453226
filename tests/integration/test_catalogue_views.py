"""The views of the catalogue and of modes on the real ClickHouse: weights as the journeys weigh, modes as `track` sees
them, who was recommended, and what is open of which kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from time import time
from typing import Any

import pytest

from deploy.embedded.clickhouse.launch import RunningClickHouse
from schemas.definition import Catalogue, CatalogueEntry, Definition, Instance, Outcome, Pattern, Step
from schemas.identifiers import customer_of
from schemas.records import Mode
from schemas.worth import worths_of
from sinks.clickhouse.migrate import ClickHouseDatabase, migrate
from sinks.clickhouse.statements import Target
from sinks.clickhouse.view_builder import deployment_views, modes_view
from tests.integration.clickhouse_fixture import clickhouse as clickhouse
from tests.integration.tables_rig import Tables, tables_of
from tests.sink_records import DAY_AT, about_source, alert, customer, journey, resolved, switched

pytestmark = pytest.mark.timeout(120)
CSAT = {"property": "csat", "worst": 1, "neutral": 3, "best": 5}
EFFORT = {"property": "effort", "worst": 7, "neutral": 3, "best": 1}


@pytest.fixture
def tables(clickhouse: RunningClickHouse) -> Iterator[Tables]:
    yield from tables_of(clickhouse)


def entry(criticality: str = "medium", valence: str = "neutral", mode: str = "activate", **more: Any) -> CatalogueEntry:
    impact = {"stage": "service", "mode": mode, "criticality": criticality, "valence": valence}
    return CatalogueEntry.model_validate({"owner": "team's \\ own", "impact": impact} | more)


def definition(
    version: int, mode: str = "shadow", name: str = "click_and_collect", steps: dict[str, Step] | None = None
) -> Definition:
    return Definition.model_validate(
        {
            "journey": name,
            "version": version,
            "mode": mode,
            "owner": "team-stores",
            "instance": Instance(key="order_id"),
            "start": Pattern(touchpoint="order_placed"),
            "steps": steps or {"paid": Step(touchpoint="payment_captured", within="10m")},
            "outcome": Outcome(success="paid"),
        }
    )


def views(tables: Tables, known: Catalogue, *definitions: Definition) -> None:
    target = Target(tables.address.database)
    made = deployment_views(definitions, known, target)
    migrate(ClickHouseDatabase(tables.client, target), target, views=made)


KNOWN = Catalogue(
    touchpoints={
        "rated": entry("high", score=CSAT),
        "asked": entry("low", valence="negative", score=EFFORT, media="earned"),
        "paid": entry("medium", valence="positive"),
        "declined": entry("high", valence="negative", media="paid"),
        "seen": entry("low"),
        "noise": entry("low", valence="negative", mode="ignore"),
        "invited": entry("low", media="earned", referrer="invited_by"),
        "order_placed": entry("high", valence="positive", answer={"touchpoint": "paid", "within": "2d"}, channel="web"),
    }
)
VALUES = [1, 5, 3, 2, 4.5, 100, -100, 0, 7, 3.0, "4", "", True, False, None, [4], {"csat": 1}]


def test_a_touchpoint_is_worth_what_the_journeys_say(tables: Tables) -> None:
    views(tables, KNOWN)
    random = Random(5)
    worths, expected = worths_of(KNOWN), {}
    records = []
    for number in range(400):
        name = random.choice((*KNOWN.touchpoints, "undeclared"))
        said: dict[str, Any] = {prop: random.choice(VALUES) for prop in ("csat", "effort") if random.random() < 0.8}
        records.append(resolved(number, name=name, properties=said))
        if name in worths:
            expected[f"{number:032x}"] = round(worths[name].weight(said), 9)
    tables.put(*records)
    found = tables.select("SELECT touchpoint_id, round(weight, 9) FROM DB.v_experience")
    assert dict(found) == expected
    assert len(found) == len(expected) > 200
    rows = "SELECT experience, criticality, weight, score, media, owner FROM DB.v_experience WHERE touchpoint_id = {id}"
    tables.put(resolved(900, name="rated", properties={"csat": 4}), resolved(901, name="declined", properties={}))
    (rated,) = tables.select(rows.replace("{id}", f"'{900:032x}'"))
    (declined,) = tables.select(rows.replace("{id}", f"'{901:032x}'"))
    assert rated == (0.5, 4.0, 2.0, 4.0, "owned", "team's \\ own")
    assert declined == (-1.0, 4.0, -4.0, None, "paid", "team's \\ own")


def test_the_catalogue_is_shown_as_it_is_written(tables: Tables) -> None:
    views(tables, KNOWN)
    found = {row[0]: row[1:] for row in tables.select("SELECT * FROM DB.v_touchpoint_catalogue")}
    assert set(found) == set(KNOWN.touchpoints)
    assert found["order_placed"] == (
        *("team's \\ own", "activate", "service", "high", "positive", "owned", "web", "", "", "paid", 172_800_000),
    )
    assert found["invited"][-5:] == ("", "", "invited_by", "", None)


def test_an_empty_and_a_very_large_catalogue_have_views(tables: Tables) -> None:
    views(tables, Catalogue(touchpoints={}))
    for view in ("v_touchpoint_catalogue", "v_experience", "v_recommendations", "v_definition_modes"):
        assert tables.count(view) == 0
    large = {f"touchpoint_number_{number:05}": entry(score=CSAT, referrer="r") for number in range(5_000)}
    views(tables, Catalogue(touchpoints=large))
    tables.put(resolved(1, name="touchpoint_number_04999", properties={"csat": 5}))
    assert tables.count("v_touchpoint_catalogue") == 5_000
    assert tables.select("SELECT weight FROM DB.v_experience") == [(2.0,)]


def test_who_recommended_whom_and_what_became_of_them(tables: Tables) -> None:
    views(tables, KNOWN)
    later = DAY_AT + 1_000
    tables.put(
        resolved(1, name="invited", occurred_at=later, properties={"invited_by": "u7"}, keys={}, identifiers={}),
        resolved(2, name="invited", occurred_at=later, properties={"invited_by": ""}, keys={}, identifiers={}),
        resolved(3, name="invited", occurred_at=later, properties={}, keys={}, identifiers={}),
        resolved(4, name="invited", occurred_at=later, properties={"invited_by": "u8"}, keys={}, identifiers={}),
        *(resolved(51, occurred_at=later - 1, keys={"order_id": "before"}), resolved(101, occurred_at=later + 9)),
        *(resolved(151, occurred_at=later + 5), resolved(201, occurred_at=later + 7, keys={"order_id": "151"})),
    )
    tables.put(
        journey(1, offset=1, customer_id=customer(1), started_at=later + 5, status="succeeded"),
        journey(2, offset=2, customer_id=customer(1), started_at=later - 5, status="failed"),
        journey(3, offset=3, customer_id=customer(1), started_at=later + 5, status="failed", mode="shadow"),
    )
    found = tables.select(
        "SELECT recommender, recommender_customer_id, customer_id, media, first_order_id,"
        " toUnixTimestamp64Milli(first_order_at), orders, journeys, succeeded, failed, broken"
        " FROM DB.v_recommendations ORDER BY recommender"
    )
    assert found == [
        ("u7", customer_of("user_id", "u7"), customer(1), "earned", "151", later + 5, 2, 1, 1, 0, 0),
        ("u8", customer_of("user_id", "u8"), customer(4), "earned", "", None, 0, 0, 0, 0, 0),
    ]


def test_open_alerts_are_told_apart_by_what_they_are_about_and_by_mode(tables: Tables) -> None:
    about = {"scope": "touchpoint", "incident": "catalogue/order_placed", "anchor": "touchpoint:order_placed"}
    tables.put(
        alert(1, offset=1, runbook="https://wiki/paid"),
        alert(2, offset=2, mode="shadow"),
        *(alert(3, offset=3), alert(3, "acknowledged", offset=4, acknowledged_by="anna")),
        *(alert(4, offset=5), alert(4, "resolved", offset=6, reason="closed", acknowledged_by="anna")),
        about_source(5, "till-7", offset=7, owner="team-stores"),
        *(about_source(6, "till-8", offset=8), about_source(6, "till-8", "resolved", offset=9)),
        about_source(7, "order_placed", offset=10, kind="broken_contract", **about),
    )
    broken = tables.select(
        "SELECT anchor, state, runbook, acknowledged_by FROM DB.v_broken_journeys_now ORDER BY anchor"
    )
    assert broken == [("order_id:1", "firing", "https://wiki/paid", ""), ("order_id:3", "acknowledged", "", "anna")]
    assert tables.select("SELECT anchor FROM DB.v_shadow_breaks_now") == [("order_id:2",)]
    silent = tables.select("SELECT source, entry, owner, state FROM DB.v_sources_silent")
    assert silent == [("till-7", "till-{store_id}", "team-stores", "firing")]
    assert tables.select("SELECT name FROM DB.v_contracts_broken") == [("order_placed",)]
    shown = tables.select("SELECT journey_id, customer_id FROM DB.v_alerts WHERE scope != 'journey'")
    assert set(shown) == {("", "")}
    timeline = tables.select("SELECT count() FROM DB.v_customer_timeline WHERE what = 'alert'")
    assert timeline == [(3,)], "neither what is tried nor what is about no customer"


def again(number: int) -> dict[str, Any]:
    """Of an alert about a journey that has one already."""
    return {"journey_id": journey(number, offset=0).journey_id, "occurrence": 2}


def test_rates_leave_out_what_was_withdrawn_and_what_a_person_closed(tables: Tables) -> None:
    tables.put(*[journey(number, offset=number) for number in range(1, 11)])
    tables.put(journey(11, offset=11, mode="shadow", definition="other"))
    tables.put(
        *(alert(1, offset=1), alert(2, offset=2), alert(2, "resolved", offset=3, reason="cleared")),
        *(alert(3, offset=4), alert(3, "withdrawn", offset=5)),
        *(alert(4, offset=6), alert(4, "resolved", offset=7, reason="closed")),
        alert(5, offset=8, step="ready", break_name="ready"),
        *(alert(6, offset=9), alert(6, "moved", offset=10)),
        # A second occurrence: of what was withdrawn and of what was closed.
        *(alert(7, "withdrawn", offset=11, **again(1)), alert(8, "resolved", offset=12, reason="closed", **again(2))),
    )
    found = tables.select(
        "SELECT definition, mode, break_name, journeys, broken, closed, withdrawn, round(rate, 4) FROM DB.v_break_rates"
        " ORDER BY break_name"
    )
    assert found == [
        ("click_and_collect", "live", "paid", 10, 2, 1, 1, round(2 / 9, 4)),
        ("click_and_collect", "live", "ready", 10, 1, 0, 0, 0.1),
    ]


def test_a_switch_shows_once_although_every_partition_carries_it(tables: Tables) -> None:
    views(tables, KNOWN, definition(1, "live"), definition(2))
    assert tables.select("SELECT version, mode, since FROM DB.v_definition_modes ORDER BY version") == [
        *((1, "live", None), (2, "shadow", None)),
    ]
    for partition in range(12):
        tables.put(switched(7, 2, "live", ordinal=partition))
    assert tables.select("SELECT version, mode FROM DB.definition_modes FINAL") == [(2, "live")]
    found = tables.select("SELECT version, mode, reason, decided_by FROM DB.v_definition_modes ORDER BY version")
    assert found == [(1, "off", "", ""), (2, "live", "tried for a week", "anna")]
    tables.put(switched(8, 1, "live", from_at=round(time() * 1000) + 3_600_000))
    assert tables.select("SELECT mode FROM DB.v_definition_modes ORDER BY version") == [("off",), ("live",)]


def modes_now(at_first: dict[int, Mode], switches: list[tuple[int, int, Mode, int]], now: int) -> dict[int, Mode]:
    """docs/journeys.md, word by word: (position, version, mode, from_at), moment after moment."""
    modes = dict(at_first)
    for moment in sorted({from_at for *_, from_at in switches if from_at <= now}):
        here = sorted(one for one in switches if one[3] == moment)
        last = {version: (position, mode) for position, version, mode, _ in here}
        for version, (_, mode) in sorted(last.items(), key=lambda one: one[1][0]):
            if mode == "live":
                modes = {other: "off" if word == "live" else word for other, word in modes.items()}
            modes[version] = mode
    return modes


def test_the_mode_of_each_version_now_is_that_of_the_specification(tables: Tables) -> None:
    random = Random(11)
    names = [f"journey_{number}" for number in range(40)]
    target = Target(tables.address.database)
    files = [definition(version, "live" if version == 2 else "shadow", name) for name in names for version in (1, 2, 3)]
    ClickHouseDatabase(tables.client, target).run(modes_view(files, target))
    words: dict[str, list[tuple[int, int, Mode, int]]] = {name: [] for name in names}
    modes: tuple[Mode, ...] = ("off", "shadow", "live", "live")
    for position in range(240):
        name = random.choice(names)
        from_at = DAY_AT - random.randrange(6) * 1_000 if random.random() < 0.9 else DAY_AT * 2
        words[name].append((position, random.randrange(1, 4), random.choice(modes), from_at))
    tables.put(
        *[
            switched(position, version, mode, from_at=from_at, definition=name)
            for name, said in words.items()
            for position, version, mode, from_at in said
        ]
    )
    at_first: dict[int, Mode] = {1: "shadow", 2: "live", 3: "shadow"}
    expected = {
        (name, version): mode
        for name, said in words.items()
        for version, mode in modes_now(at_first, said, DAY_AT).items()
    }
    found = tables.select("SELECT definition, version, mode FROM DB.v_definition_modes")
    assert {(name, version): mode for name, version, mode in found} == expected


def test_versions_stand_side_by_side_in_the_funnel(tables: Tables) -> None:
    second = {
        "approved": Step(touchpoint="a", within="1h"),
        "paid": Step(touchpoint="p", after="approved", within="5m"),
    }
    views(tables, KNOWN, definition(1, "live"), definition(2, steps=second))
    steps = [
        {"step": "paid", "status": "reached", "reached_at": DAY_AT + 60_000, "touchpoint_id": "t", "channel": "web"},
    ]
    both: dict[str, Any] = {"started_at": DAY_AT, "steps": steps}
    tables.put(
        *[journey(number, offset=number, **both) for number in range(3)],
        *[journey(number, offset=number, version=2, mode="shadow", **both) for number in range(3, 5)],
        journey(9, offset=9, version=7, **both),
    )
    funnel = tables.select(
        "SELECT definition_version, mode, step_no, step, journeys, reached FROM DB.v_funnel_click_and_collect"
        " ORDER BY definition_version, step_no"
    )
    assert funnel == [
        *((1, "live", 0, "start", 3, 3), (1, "live", 1, "paid", 3, 3)),
        *((2, "shadow", 0, "start", 2, 2), (2, "shadow", 2, "paid", 2, 2)),
        *((7, "live", 0, "start", 1, 1), (7, "live", 999, "paid", 1, 1)),
    ]
    durations = tables.select(
        "SELECT DISTINCT definition_version, mode, after, within_ms FROM DB.v_step_durations_click_and_collect"
        " ORDER BY definition_version"
    )
    assert durations == [(1, "live", "start", 600_000), (2, "shadow", "approved", 300_000), (7, "live", "", None)]


def test_every_column_of_the_generated_views_is_described(tables: Tables) -> None:
    views(tables, KNOWN, definition(1, "live"))
    assert (
        tables.select(
            "SELECT table, name FROM system.columns WHERE database = 'DBNAME' AND comment = ''".replace(
                "DBNAME", tables.address.database
            )
        )
        == []
    )
