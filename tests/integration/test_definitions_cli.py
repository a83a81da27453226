"""`touchline definitions` as a person uses it: a version goes live on a whole deployment, beside the former one."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from deploy.definitions.versions import arrived, switches
from deploy.embedded.clickhouse.launch import RunningClickHouse
from schemas.control_records import Switch
from schemas.records import Mode, Switched
from streams.journey.modes import Turn
from tests.integration.clickhouse_fixture import clickhouse as clickhouse
from tests.integration.tables_rig import Tables, tables_of
from tests.integration.test_cli import Deployment, alive, eventually

pytestmark = pytest.mark.timeout(600)
NAME: Final = "click_and_collect"
SHIPPED: Final = Path("journeys")


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    journeys = tmp_path / "journeys"
    journeys.mkdir()
    text = (SHIPPED / f"{NAME}.yaml").read_text()
    (journeys / "now.yaml").write_text(re.sub(r"^version: \d+$", "version: 1", text, flags=re.MULTILINE))
    newer = re.sub(r"^version: \d+$", "version: 2", text, flags=re.MULTILINE)
    (journeys / "next.yaml").write_text(newer.replace("mode: live", "mode: shadow", 1))
    found = Deployment(tmp_path / "data")
    found.env["TOUCHLINE_DEFINITIONS_DIR"] = str(journeys)
    try:
        assert "everything is ready" in found.run("up")
        yield found
    finally:
        found.run("down")
        assert alive(found.home) == []


def place(deployment: Deployment, order: str) -> None:
    placed = {
        "message_id": f"placed-{order}",
        "name": "order_placed",
        "occurred_at": datetime.fromtimestamp(time.time(), UTC).isoformat(),
        "identifiers": {"user_id": f"user-{order}", "order_id": order},
        "properties": {"order_id": order, "fulfilment": "pickup"},
    }
    assert deployment.post("till", "/v1/touchpoints", {"touchpoints": [placed]})["refused"] == 0


def journeys(deployment: Deployment, order: str) -> str:
    query = (
        "SELECT definition_version, mode FROM journeys FINAL"
        f" WHERE definition = '{NAME}' AND anchor = 'order_id:{order}' ORDER BY definition_version"
    )
    return "; ".join(deployment.sql(query).splitlines())


def test_a_version_goes_live_beside_the_former_one(deployment: Deployment) -> None:
    listed = deployment.run("definitions", "list", NAME)
    assert re.search(rf"{NAME}@1 +live +its file +now.yaml", listed)
    assert re.search(rf"{NAME}@2 +shadow +its file +next.yaml", listed)
    place(deployment, "before")
    assert eventually(lambda: journeys(deployment, "before") == "1\tlive; 2\tshadow")
    switch = ("definitions", "switch", f"{NAME}@2", "live", "--reason", "a week without a false alert", "--by", "anna")
    assert "Switch it?" in deployment.run(*switch, code=1), "without an answer nothing is switched"
    assert re.search(rf"{NAME}@2 +shadow +its file", deployment.run("definitions", "list"))
    done = deployment.run(*switch, "--yes")
    for expected in (
        f"{NAME}@2 is shadow; from",
        f"{NAME}@1 is live until then, and begins nothing more",
        "In force for journeys that start from",
    ):
        assert expected in done
    listed = deployment.run("definitions", "list", NAME)
    assert re.search(rf"{NAME}@1 +off +.* version 2 went live +now.yaml", listed)
    assert re.search(rf"{NAME}@2 +live +.* a week without a false alert \(anna\) +next.yaml", listed)
    place(deployment, "after")
    assert eventually(lambda: journeys(deployment, "after") == "2\tlive")
    assert journeys(deployment, "before") == "1\tlive; 2\tshadow"


@pytest.fixture
def tables(clickhouse: RunningClickHouse) -> Iterator[Tables]:
    yield from tables_of(clickhouse)


def test_what_was_switched_is_read_back_once_and_in_order(tables: Tables) -> None:
    def ask(query: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        found = tables.client.query(query.replace("DB.", f"{tables.address.database}."), parameters=dict(parameters))
        return [dict(zip(found.column_names, row)) for row in found.result_rows]

    def said(mode: Mode, at: int) -> Switch:
        rest: dict[str, Any] = {"reason": "why", "decided_by": "anna", "decided_at": at}
        return Switch(definition=NAME, version=2, mode=mode, from_at=at, **rest)

    def switched(said: Switch, offset: int, ordinal: int) -> Switched:
        rest = said.model_dump(exclude={"type", "format_version", "from_at"})
        return Switched(at=("keep_time", 0, offset, ordinal), from_at=said.from_at + 5, **rest)

    first, second = said("live", 1_790_000_000_123), said("shadow", 1_790_000_000_124)
    assert arrived(ask, first) is None
    tables.put(*(switched(first, 7, ordinal) for ordinal in range(12)))
    tables.put(switched(second, 9, 0), switched(second, 9, 1))
    assert [one.turn for one in sorted(switches(ask), key=lambda one: one.turn.order)] == [
        Turn(2, "live", first.from_at + 5, 7),
        Turn(2, "shadow", second.from_at + 5, 9),
    ]
    assert (arrived(ask, first), arrived(ask, second)) == (first.from_at + 5, second.from_at + 5)
    assert arrived(ask, said("off", 1_790_000_000_123)) is None
