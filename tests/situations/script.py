"""What happens in a situation: `touchpoints.jsonl`, one JSON object a line, in the order of arrival.

A line is a touchpoint that arrives, a decision of a person, or something that befalls the workers. A line without
`do` is a touchpoint in the form of the contract; `occurred_at` may be left out where it is the arrival. Message ids
are short, and unique within the situation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal, cast

import msgspec
from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.identifiers import ROUTING_ORDER
from schemas.placeholders import is_placeholder
from schemas.times import to_ms

SITUATIONS: Final = Path(__file__).parent
SCRIPT: Final = "touchpoints.jsonl"


class SituationError(Exception):
    """A file of a situation cannot be used: says which, where and why."""


class Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    arrives: str

    @property
    def arrives_at(self) -> int:
        return to_ms(self.arrives)


class Arrival(Line):
    """A touchpoint reaches Kafka. `trust: browser` as the collector writes it for a browser's write key; `proof` puts
    the shop's proof of the user_id into the context, a right one or a forged one.
    """

    source: str
    trust: Literal["browser"] | None = None
    proof: Literal["right", "wrong"] | None = None
    touchpoint: dict[str, Any]

    @property
    def message_id(self) -> str:
        return str(self.touchpoint["message_id"])

    @property
    def identifiers(self) -> dict[str, str]:
        return dict(self.touchpoint.get("identifiers", {}))

    @property
    def occurred_at(self) -> int:
        return to_ms(self.touchpoint.get("occurred_at", self.arrives))


class ByHand(Line):
    """A person decides (docs/identity.md, "By hand"). E-mail and phone in clear: the runner hashes them."""

    do: Literal["link", "unlink", "block", "lift"]
    identifier: str
    user_id: str | None = None
    reason: str
    by: str


class Fault(Line):
    """What befalls the workers. A second one joins beside the traffic; the first is killed; it comes back."""

    do: Literal["join_worker", "kill_worker", "worker_back"]


AnyLine = Arrival | ByHand | Fault
_KINDS: Final[dict[str, type[Line]]] = {
    **dict.fromkeys(("link", "unlink", "block", "lift"), ByHand),
    **dict.fromkeys(("join_worker", "kill_worker", "worker_back"), Fault),
}


@dataclass(frozen=True, slots=True)
class Script:
    """One situation's lines, in the order of arrival."""

    name: str
    lines: tuple[AnyLine, ...]

    def arrivals(self) -> Iterator[Arrival]:
        return (line for line in self.lines if isinstance(line, Arrival))

    def wire_id(self, message_id: str) -> str:
        """As it is sent: unique among all situations of a run."""
        return f"{self.name}.{message_id}"


def names() -> list[str]:
    return sorted(file.parent.name for file in SITUATIONS.glob(f"*/{SCRIPT}"))


def read_script(name: str) -> Script:
    """Raises SituationError."""
    file = SITUATIONS / name / SCRIPT
    lines = [
        _read_line(f"{name}/{SCRIPT}:{n}", text) for n, text in enumerate(file.read_text().splitlines(), 1) if text
    ]
    script = Script(name, tuple(lines))
    ids = [arrival.message_id for arrival in script.arrivals()]
    if twice := {one for one in ids if ids.count(one) > 1}:
        raise SituationError(f"{name}/{SCRIPT}: message_id {min(twice)} stands here twice")
    if any(earlier.arrives_at > later.arrives_at for earlier, later in pairwise(lines)):
        raise SituationError(f"{name}/{SCRIPT}: the lines are not in the order of arrival")
    return script


def _read_line(place: str, text: str) -> AnyLine:
    try:
        found = msgspec.json.decode(text)
        return cast(AnyLine, _KINDS.get(found.get("do"), Arrival).model_validate(found))
    except msgspec.DecodeError as error:
        raise SituationError(f"{place}: {error}") from error
    except ValidationError as error:
        raise SituationError(f"{place}: {error}") from error


def refuse_shared(scripts: Sequence[Script]) -> None:
    """All situations run in one world, so no identifier may occur in two. Raises SituationError."""
    owners: dict[str, str] = {}
    for script in scripts:
        for arrival in script.arrivals():
            for kind, value in arrival.identifiers.items():
                if kind not in ROUTING_ORDER or is_placeholder(value):
                    continue
                if owners.setdefault(f"{kind}:{value}", script.name) != script.name:
                    raise SituationError(f"{kind}:{value} occurs in {owners[f'{kind}:{value}']} and in {script.name}")
