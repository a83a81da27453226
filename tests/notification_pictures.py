"""What people see of one incident in each state: Slack, webhook, `touchline alerts list`. Text, made by the code that
sends it; docs/notifications.md shows it, a test compares, and `python -m tests.notification_pictures` writes it there.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from rich.console import Console

from deploy.cli.alerts_screens import list_screen
from schemas.quiet_times import Flapping
from schemas.records import Alert
from sinks.notify import slack
from sinks.notify.desk import Desk
from sinks.notify.incident import IncidentNews
from sinks.notify.outbox import Arrived, Outbox
from sinks.notify.quiet import Matchers, Quiet, silence_of
from sinks.notify.routing import Route
from tests.sink_records import alert

PAGE: Final = Path(__file__).parents[1] / "docs" / "notifications.md"
BEGIN: Final = "<!-- pictures: made by tests/notification_pictures.py -->\n"
END: Final = "<!-- end of the pictures -->\n"
WIDTH: Final = 118
START: Final = 1_780_000_860_000
ROOM: Final = Route("room", "slack", "", template=slack.TEMPLATE)
PAGER: Final = Route("pager", "webhook", "")


class Scene:
    """One notifier, one clock, one room and one pager."""

    def __init__(self, path: Path) -> None:
        self.now = START
        self._outbox = Outbox(path, [ROOM, PAGER], Quiet(flapping=Flapping(more_than=1)))
        self._desk = Desk(self._outbox, None, lambda _: None, lambda: self.now)
        self._offset = 0
        self._heard = {ROOM.key: 0, PAGER.key: 0}
        self._first: dict[str, Any] = {}
        self._fired_at: dict[int, int] = {}

    def take(self, number: int, state: str, **changes: Any) -> None:
        self._offset += 1
        self.now += 60_000
        if state == "firing":
            self._fired_at[number] = self.now
        times = {"changed_at": self.now, "fired_at": self._fired_at[number]}
        found = late(number, state, self._offset, **(times | changes))
        self._outbox.accept([Arrived(0, found)], self.now)

    def wait(self, ms: int) -> None:
        self.now += ms
        self._outbox.release(self.now, 100)

    def silence(self) -> None:
        matchers = Matchers.model_validate({"definition": "click_and_collect", "break": "ready"})
        made = silence_of(matchers, self.now, self.now + 3_600_000, "the warehouse moves", "anna", self.now)
        self._outbox.add_silence(made, self.now)

    def picture(self, title: str, said: str) -> Iterator[str]:
        """What was heard since the picture before, and what is listed now."""
        yield f"### {title}\n\n{said}\n"
        for news in self._new(ROOM):
            text = slack.slack_text([IncidentNews.model_validate_json(news)], slack.TEMPLATE, ROOM.runbook)
            yield f"Slack:\n\n```\n{text}\n```\n"
        for body in self._new(PAGER):
            found = json.loads(body)
            differs = {name: value for name, value in found.items() if self._first.get(name, ...) != value}
            about = ", where it differs from the first one" if self._first else ""
            self._first = self._first or found
            yield f"Webhook{about}:\n\n```json\n{json.dumps(differs, indent=2, ensure_ascii=False)}\n```\n"
        yield f"`touchline alerts list`:\n\n```\n{self._list()}\n```\n"

    def _new(self, route: Route) -> list[bytes]:
        rows = self._outbox.pile(route.key, 2**60, 1_000)
        new = [row.body for row in rows if row.seq > self._heard[route.key]]
        self._heard[route.key] = max([row.seq for row in rows], default=0)
        return new

    def _list(self) -> str:
        console = Console(file=io.StringIO(), width=WIDTH, no_color=True, highlight=False, legacy_windows=False)
        console.print(list_screen(self._desk.listed("open", None, 200)))
        assert isinstance(console.file, io.StringIO)
        return "\n".join(line.rstrip() for line in console.file.getvalue().rstrip().splitlines())

    def close(self) -> None:
        self._outbox.close()


def late(number: int, state: str, offset: int, **changes: Any) -> Alert:
    fields: dict[str, Any] = {
        "incident": "click_and_collect/ready", "break_name": "ready", "step": "ready", "severity": "error",
        "runbook": "https://wiki.example/click-and-collect/ready", "cause_at": START - 540_000,
        "due_at": START - 540_000, "anchor": f"order_id:{number}",
        "first_line": f"order_id:{number} (customer 1f0c9a52): click_and_collect, step ready is 9 min late"
        " (due 20:32 UTC). Last: order_placed web 12:31.",
        "evidence": [{"touchpoint_id": f"{number:032x}", "name": "order_placed", "channel": "web",
                      "occurred_at": START - 29_400_000}] if number == 4711 else [],
    }  # fmt: skip
    return alert(number, state, offset=offset, **(fields | changes))


def till(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "scope": "source", "kind": "silent_source", "incident": "sources/till-{store_id}", "definition": "sources",
        "break_name": "silent_source", "step": None, "journey_id": None, "customer_id": None, "evidence": [],
        "anchor": f"source:till-{number}", "severity": "critical", "runbook": None,
        "first_line": f"Source till-{number} is silent since 20:01 UTC. Nobody is told of customers who wait for it"
        " until it is back.",
    } | changes  # fmt: skip


def scenes(directory: Path) -> Iterator[str]:
    scene = Scene(directory / "one.sqlite")
    scene.take(4711, "firing")
    yield from scene.picture("Firing", "An order is late.")
    scene.take(4711, "acknowledged", acknowledged_by="anna")
    yield from scene.picture("Acknowledged", "Anna looks after it. It stays open, and is told no more.")
    scene.silence()
    scene.take(4718, "firing")
    yield from scene.picture("Silenced", "A second order is late while a silence matches: nobody hears of it.")
    scene.wait(3_600_000)
    yield from scene.picture("After the silence", "It is open still, and nobody looks after it.")
    for number in (4711, 4718):
        line = (
            f"order_id:{number} (customer 1f0c9a52): click_and_collect, step ready was 77 min late, over at 21:49 UTC."
        )
        scene.take(number, "resolved", cleared_at=scene.now, first_line=line)
    yield from scene.picture("Resolved", "Both orders are ready.")
    scene.close()
    yield from moved(directory)
    scene = Scene(directory / "two.sqlite")
    heard = till(7, first_line="Source till-7 is heard again since 20:49 UTC; it was silent since 20:01 UTC.")
    for _ in range(2):
        scene.take(7, "firing", **till(7))
        scene.take(7, "resolved", **heard)
    list(scene.picture("", ""))
    scene.take(7, "firing", **till(7))
    yield from scene.picture("Flapping", "A till comes and goes. It is about no customer.")
    scene.take(7, "resolved", **heard)
    scene.wait(900_000)
    yield from scene.picture("Steady again", "It was heard again for a quarter of an hour: the last word.")
    scene.close()


def moved(directory: Path) -> Iterator[str]:
    scene = Scene(directory / "three.sqlite")
    scene.take(4711, "firing")
    list(scene.picture("", ""))
    who = {"customer_id": "1f0c9a52-0000-5000-8000-000000000000"}
    scene.take(4711, "moved", **who)
    yield from scene.picture("Moved", "The order is another customer's. Nothing is said yet: it may be late there.")
    scene.wait(60_000)
    yield from scene.picture("Moved, and no break any more", "It is not late under the next customer.")
    scene.close()


def pictures() -> str:
    with TemporaryDirectory() as directory:
        return BEGIN + "\n" + "\n".join(scenes(Path(directory))) + END


def shown(page: str) -> str:
    return BEGIN + page.partition(BEGIN)[2].partition(END)[0] + END


if __name__ == "__main__":
    text = PAGE.read_text("utf-8")
    PAGE.write_text(text.replace(shown(text), pictures()), "utf-8")
