"""What identity costs: CPU of the stage `resolve` per touchpoint, and the memory and changelog of one identifier.

`python -m benchmarks.identity [--customers N]`. In memory, one partition, CPU time of this process; memory by
tracemalloc in a run of its own, because it slows everything down. Three workloads: customers who browse and log in;
the same with an e-mail at each login and a card at the till; and a hostile device with 100,000 touchpoints.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from schemas.definition import Catalogue
from streams.identity.resolve import Resolve, ResolveConfig
from streams.stage import Effect

START: Final = 1_790_000_000_000
MINUTE: Final = 60_000
HOSTILE: Final = 100_000
MEASURED: Final = 50_000
"""Touchpoints of the run with tracemalloc, at most."""


class Raw(NamedTuple):
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


def touchpoint(number: int, at: int, name: str, **identifiers: str) -> bytes:
    moment = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body: dict[str, Any] = {
        "message_id": f"m{number}",
        "name": name,
        "occurred_at": moment,
        "identifiers": identifiers,
        "properties": {"path": "/shoes/42", "fulfilment": "pickup"},
    }
    return json.dumps(body).encode()


def customers(count: int, contacts: bool) -> Iterator[bytes]:
    """Of each: two pages, a login, an order, and the collection at the till."""
    for person in range(count):
        at, number, device = START + person * 97, person * 5, {"anonymous_id": f"device-{person:08}"}
        known = {"user_id": f"user-{person:08}"}
        if contacts:
            known |= {"email": f"customer{person:08}@example.org", "loyalty_card": f"card-{person:08}"}
        order = {"order_id": f"order-{person:08}"}
        yield touchpoint(number, at, "page_viewed", **device)
        yield touchpoint(number + 1, at + MINUTE, "page_viewed", **device)
        yield touchpoint(number + 2, at + 2 * MINUTE, "signed_in", **device, **known)
        yield touchpoint(number + 3, at + 3 * MINUTE, "order_placed", **device, **order)
        at_till = {"loyalty_card": f"card-{person:08}"} if contacts else {}
        yield touchpoint(number + 4, at + 4 * MINUTE, "picked_up", **at_till, **order)


def hostile() -> Iterator[bytes]:
    for number in range(HOSTILE):
        yield touchpoint(number, START + number * 36, "page_viewed", anonymous_id="bot", user_id=f"user-{number % 999}")


class Cost(NamedTuple):
    """CPU in us per touchpoint, the worst of 1,000 in a row as well; bytes in all."""

    touchpoints: int
    cpu_us: float
    worst_us: float
    changelog_bytes: int
    memory_bytes: int


def resolve(values: list[bytes], again: bool) -> Cost:
    """One partition that owns everything and hears what it tells, so that the contact graph is paid for, too."""
    stage = Resolve(0, 1, ResolveConfig(Catalogue(touchpoints={}), b"secret"))
    state: dict[bytes, bytes] = {}
    offset, cpu, worst = 0, 0.0, 0.0
    if again:
        gc.collect()
        tracemalloc.start()
    for begin in range(0, len(values), 1_000):
        records = []
        for value in values[begin : begin + 1_000]:
            records.append(Raw(offset, START + offset, None, value))
            offset += 1
        begun = time.process_time()
        out: list[Effect] = []
        for record in records:
            stage.apply(record, out)
        while out:  # What it tells itself comes back, as the log would bring it.
            told = [effect for effect in out if effect.topic == "touchpoints.raw"]
            out = []
            for effect in told:
                stage.apply(Raw(offset, START + offset, effect.key, effect.value, effect.headers), out)
                offset += 1
        changes = stage.changes()
        spent = time.process_time() - begun
        cpu, worst = cpu + spent, max(worst, spent)
        for key, change in changes:
            if change is None:
                state.pop(key, None)
            elif not again:
                state[key] = change
    memory = 0
    if again:
        gc.collect()
        memory = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    stored = sum(len(key) + len(value) for key, value in state.items())
    return Cost(len(values), cpu / len(values) * 1e6, worst * 1e3, stored, memory)


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--customers", type=int, default=20_000)
    count = arguments.parse_args().customers
    workloads = {
        "browse and log in": list(customers(count, contacts=False)),
        "with e-mail and card": list(customers(count, contacts=True)),
        "one hostile device": list(hostile()),
    }
    print(f"{count:,} customers; bytes are per customer (for the device: in all)")
    for name, values in workloads.items():
        cost, memory = resolve(values, again=False), resolve(values[:MEASURED], again=True).memory_bytes
        is_alone = name == "one hostile device"
        share, measured = (1, 1) if is_alone else (count, min(len(values), MEASURED) // 5)
        print(
            f"{name:22} {cost.cpu_us:7.1f} us per touchpoint, worst thousand {cost.worst_us:6.1f} us each; "
            f"memory {memory / measured:11,.0f} B, changelog {cost.changelog_bytes / share:11,.0f} B"
        )


if __name__ == "__main__":
    main()
