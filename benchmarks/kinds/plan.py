"""What is sent, and which alerts have to come of it. Pure: the same arguments give the same plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from random import Random
from typing import Final, NamedTuple

from benchmarks.kinds.stories import CONTRACT, GAP_MS, GRACE_MS, STORIES, WAIT_MS, Story
from benchmarks.latency.plan import LEAD_MS, SLICE_MS, fill
from benchmarks.truth import Point
from schemas.identifiers import customer_of
from schemas.records import BreakKind

END_MS: Final = 5_000
"""At the end nothing is planted whose alert could not come any more while time goes on."""


class Planted(NamedTuple):
    """One alert that has to come. `subject`: its customer, or its anchor where it is about none or about a key.
    `cause`: the message id of the touchpoint that it is measured from.
    """

    kind: BreakKind
    subject: str
    cause: str


class Plan(NamedTuple):
    """`slices`: what to send in each SLICE_MS. `sources`: by message id, where it is not the usual one."""

    slices: Sequence[Sequence[Point]]
    planted: Mapping[tuple[str, str], Planted]
    """By kind and subject."""
    sources: Mapping[str, bytes]


class _Told(NamedTuple):
    planted: Planted
    points: Sequence[tuple[int, Point]]
    source: bytes | None


def make_plan(rate: int, seconds: int, per_second: int, seed: int) -> Plan:
    """`rate` touchpoints a second, the planted ones of all kinds included, `per_second` stories of each kind."""
    random = Random(seed)
    slices: list[list[Point]] = [[] for _ in range(seconds * 1_000 // SLICE_MS)]
    told = list(chain.from_iterable(_stories(story, seconds, per_second, random) for story in STORIES))
    for one in told:
        for offset_ms, point in one.points:
            slices[offset_ms // SLICE_MS].append(point)
    fill(slices, rate, random)
    sources = {one.points[0][1].message_id: one.source for one in told if one.source is not None}
    return Plan(slices, {(one.planted.kind, one.planted.subject): one.planted for one in told}, sources)


def stories_of(seconds: int, per_second: int) -> int:
    """Of each kind."""
    return max(0, (seconds * 1_000 - LEAD_MS - END_MS) * per_second // 1_000)


def waits_ms(story: Story) -> int:
    """From the cause to the moment at which the alert may be there at all."""
    if story.basis == "deadline":
        return WAIT_MS + GRACE_MS
    return WAIT_MS if story.basis == "silence" else 0


def _stories(story: Story, seconds: int, per_second: int, random: Random) -> Iterator[_Told]:
    for number in range(stories_of(seconds, per_second)):
        offset_ms = LEAD_MS + int((number + random.random()) * 1_000 / per_second)
        yield _told(story, number, offset_ms)


def _told(story: Story, number: int, offset_ms: int) -> _Told:
    name = f"{story.kind}-{number:05d}"
    device = f"d-{name}"
    points = []
    for index, line in enumerate(story.lines):
        who = {kind: value.format(story=name) for kind, value in line.who.items()} or {"anonymous_id": device}
        at = offset_ms - (len(story.lines) - 1 - index) * GAP_MS
        word = f"{CONTRACT}_{number:04d}" if line.name == CONTRACT else line.name
        points.append((at, Point(0, f"m-{name}-{index}", word, "web", who, dict(line.properties))))
    source = None
    if story.basis == "silence":
        subject, source = f"source:till-{number:05d}", b"till-%05d" % number
    elif story.basis == "contract":
        subject = f"touchpoint:{CONTRACT}_{number:04d}"
    elif story.key != "customer":
        subject = f"{story.key}:o-{name}"
    else:
        subject = customer_of("anonymous_id", device)
    return _Told(Planted(story.kind, subject, points[-1][1].message_id), points, source)
