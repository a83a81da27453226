"""A deployment in one process: the real stages over a log in memory, their records as rows of a real ClickHouse.

So that a test says what happened in a line each, and the tables hold what the workers would have written.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from deploy.identity.asked import identifier_of
from deploy.identity.decide import decision_of
from deploy.identity.judge import Rules
from schemas.control import control_headers
from schemas.control_records import Beat, Decision, DecisionKind
from schemas.definition_files import load_catalogue, load_definition
from schemas.fast import encode, fast_type
from schemas.identifiers import partition_of
from schemas.identity_reader import IdentityReader, IdentitySecrets
from schemas.topics import PARTITIONS
from sinks.clickhouse.batch import DECODERS, build
from sinks.clickhouse.store import ClickHouseStore
from streams.identity.limits import HOUR_MS, Limits
from streams.identity.resolve import Resolve, ResolveConfig
from streams.journey.compile import compile_definitions
from streams.journey.track import Track
from streams.pace.keep_time import KeepTime
from tests.simulated.in_turn import InTurn, Placed
from tests.simulated.log import Logs

SECRET = b"in one process secret"
START = int(datetime(2026, 3, 2, 8, tzinfo=UTC).timestamp() * 1000)
READER = IdentityReader(secrets=IdentitySecrets(b"personal", b"proofs"))
LIMITS = Limits()
CATALOGUE = load_catalogue(Path("touchpoints.yaml"))
CLICK_AND_COLLECT: Final = Path("journeys/click_and_collect.yaml")
RULES = Rules(LIMITS, frozenset(name for name, one in CATALOGUE.touchpoints.items() if one.ends_session))
_beat = fast_type(Beat)


class World:
    """`now` is the broker's clock, ms."""

    def __init__(self) -> None:
        compiled = compile_definitions([load_definition(CLICK_AND_COLLECT, CATALOGUE)], CATALOGUE)
        config = ResolveConfig(CATALOGUE, SECRET, compiled.facts, limits=LIMITS, reader=READER)
        self.logs = Logs(START)
        stages: list[Placed] = []
        for partition in range(PARTITIONS):
            stages.append(("touchpoints.raw", partition, Resolve(partition, PARTITIONS, config)))
            track = Track(partition, compiled, "live", horizon_ms=LIMITS.horizon_ms)
            stages.append(("touchpoints", partition, track))
        stages.append(("progress", 0, KeepTime(PARTITIONS, PARTITIONS, SECRET)))
        self._stages = InTurn(self.logs, stages)
        self._stored: dict[tuple[str, int], int] = {}
        self._count = 0

    @property
    def now(self) -> int:
        return self.logs.now

    def tell(
        self, name: str, *, hours: float, source: str = "web", trust: str = "server", late: float = 0, **said: Any
    ) -> str:
        """It happens so many hours after START and arrives at once, or `late` hours after. Returns its message id."""
        self._count += 1
        at = START + int(hours * HOUR_MS)
        self.logs.now = max(self.logs.now, at + int(late * HOUR_MS) + 5)
        properties = said.pop("properties", {})
        message_id = str(said.pop("message_id", f"m-{self._count}"))
        touchpoint = {
            "message_id": message_id,
            "name": name,
            "occurred_at": datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds"),
            "identifiers": said,
            "properties": properties,
        }
        headers = (("source", source.encode()), ("trust", trust.encode()))
        decoded_to = partition_of(f"message:{message_id}", PARTITIONS)
        self.logs.append("touchpoints.raw", decoded_to, None, encode(touchpoint), headers)
        return message_id

    def decide(
        self, kind: DecisionKind, identifier: str, user_id: str | None = None, reason: str = "a test"
    ) -> Decision:
        decision = decision_of(kind, identifier_of(identifier), user_id, reason, "anna", self.now)
        value = encode(decision)
        self.logs.append("progress", 0, None, value, control_headers("decision", 0, value, SECRET))
        return decision

    def settle(self, hours: float = 0) -> None:
        """Everything is worked off; time passes so far."""
        self.logs.now += int(hours * HOUR_MS)
        for _ in range(8):
            self.logs.now += 10
            for partition in range(PARTITIONS):
                value = encode(_beat(log_time=self.logs.now))
                headers = control_headers("beat", partition, value, SECRET)
                self.logs.append("touchpoints.raw", partition, None, value, headers)
            self._stages.work_off()

    def store(self, into: ClickHouseStore) -> None:
        """What was written since the last time becomes rows."""
        self.settle()
        for topic, decode in DECODERS.items():
            for partition in range(PARTITIONS):
                begin = self._stored.get((topic, partition), 0)
                records = self.logs.read(topic, partition)[begin:]
                self._stored[topic, partition] = begin + len(records)
                for table, rows in build(decode, records, {}).rows.items():
                    into.insert(table, rows, f"{topic}-{partition}-{begin}-{table}")
