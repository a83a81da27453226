"""A seeded world that tries to break the stages: every choice comes from one Random, so a seed is a
reproduction.

Workers read simulated logs and append effects one at a time, in any order that Kafka allows: in order within
one target partition, in any order between targets, `last` ones after all others. They crash between any two
of them, before and after the checkpoint. Zombies go on from an old state until their checkpoint is refused.
What is checked on the way: a record always has the same effects, byte for byte. The laws about the outcome
are in `laws`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from schemas.control import control_headers
from schemas.control_records import Beat
from schemas.fast import encode, fast_type
from streams.stage import Effect, Stage
from tests.simulated.generate import RAW, START, Arrival
from tests.simulated.log import Logs

SECRET = b"simulated"
Factory = Callable[[int], Stage]
_beat = fast_type(Beat)


@dataclass(frozen=True, slots=True)
class StagePlan:
    name: str
    source: str
    partitions: int
    factory: Factory


@dataclass
class Checkpoint:
    """What the changelog holds of one stage partition. `epoch` fences: only the latest worker may write."""

    state: dict[bytes, bytes] = field(default_factory=dict)
    position: int = 0
    epoch: int = 0


class Diverged(AssertionError):
    """The redo of a record had other effects."""


class Worker:
    """One life of one stage partition."""

    def __init__(self, plan: StagePlan, partition: int, checkpoint: Checkpoint, world: World) -> None:
        self.plan, self.partition, self._world, self._checkpoint = plan, partition, world, checkpoint
        checkpoint.epoch += 1
        self._epoch = checkpoint.epoch
        self.stage = plan.factory(partition)
        self.stage.restore(list(checkpoint.state.items()))
        self.position = checkpoint.position
        self._queues: dict[tuple[str, int], deque[Effect]] = {}
        self._last: deque[Effect] = deque()

    @property
    def sending(self) -> bool:
        return bool(self._queues or self._last)

    @property
    def behind(self) -> bool:
        return self.position < len(self._world.logs.read(self.plan.source, self.partition))

    def lazily(self) -> int:
        """As few records as keep time going: up to the next mark or, without one, the next beat."""
        ahead = self._world.logs.read(self.plan.source, self.partition)[self.position :]
        for control in (b"mark", b"beat"):
            for number, record in enumerate(ahead, start=1):
                if record.header("control") == control:
                    return number
        return 0 if self.plan.source == RAW else len(ahead)

    def deliver(self, count: int) -> None:
        """One batch: its effects are waiting to be sent afterwards."""
        out: list[Effect] = []
        for record in self._world.logs.read(self.plan.source, self.partition)[self.position : self.position + count]:
            before = len(out)
            self.stage.apply(record, out)
            self._world.remember(self.plan.name, self.partition, record.offset, tuple(out[before:]))
            self.position += 1
        self.stage.flush(out)
        for effect in out:
            if effect.last:
                self._last.append(effect)
            else:
                self._queues.setdefault((effect.topic, effect.partition), deque()).append(effect)

    def send(self, rng: Random, count: int) -> None:
        for _ in range(count):
            if self._queues:
                target = rng.choice(list(self._queues))
                queue = self._queues[target]
                self._world.logs.carry_out(queue.popleft())
                if not queue:
                    del self._queues[target]
            elif self._last:
                self._world.logs.carry_out(self._last.popleft())
            else:
                break

    def checkpoint(self) -> bool:
        """False: fenced, a newer worker took over."""
        if self._epoch != self._checkpoint.epoch:
            return False
        for key, value in self.stage.changes():
            if value is None:
                self._checkpoint.state.pop(key, None)
            else:
                self._checkpoint.state[key] = value
        self._checkpoint.position = self.position
        return True


@dataclass(frozen=True, slots=True)
class Odds:
    """How often what happens: weights of one step."""

    arrive: float = 6
    beat: float = 3
    deliver: float = 12
    send: float = 12
    checkpoint: float = 4
    crash: float = 1
    zombie: float = 1
    lull: float = 0.5
    lazy: bool = False
    """Workers look at nothing before its time has come: whatever may be overtaken, is."""


class World:
    def __init__(self, rng: Random, plans: list[StagePlan], arrivals: list[Arrival], odds: Odds) -> None:
        self._rng, self._arrivals, self._lazy = rng, deque(arrivals), odds.lazy
        self.plans = plans
        self.raw_partitions = plans[0].partitions
        self.logs = Logs(START)
        self._checkpoints = {
            (plan.name, partition): Checkpoint() for plan in plans for partition in range(plan.partitions)
        }
        self._effects: dict[tuple[str, int, int], tuple[Effect, ...]] = {}
        self.workers = [self._start(plan, partition) for plan in plans for partition in range(plan.partitions)]
        self._pace = [rng.choice((0.3, 1, 1, 4)) for _ in self.workers]
        """Some workers are slow: what is sent to them stays under way for long."""
        self._zombies: list[Worker] = []
        self.faults = {"a crash": 0, "a fenced zombie": 0}
        self._actions: dict[Callable[[], None], float] = {
            self._arrive: odds.arrive,
            self._beat_some: odds.beat,
            self._deliver: odds.deliver,
            self._send: odds.send,
            self._checkpoint: odds.checkpoint,
            self._crash: odds.crash,
            self._take_over: odds.zombie,
            self._lull: odds.lull,
        }

    def remember(self, stage: str, partition: int, offset: int, effects: tuple[Effect, ...]) -> None:
        first = self._effects.setdefault((stage, partition, offset), effects)
        if first is not effects and first != effects:
            raise Diverged(f"{stage}, partition {partition}, offset {offset}:\nfirst {first}\nthen  {effects}")

    def run(self) -> None:
        actions, weights = list(self._actions), list(self._actions.values())
        while self._arrivals:
            for action in self._rng.choices(actions, weights, k=16):
                action()
        self._drain()

    # -- what may happen

    def _start(self, plan: StagePlan, partition: int) -> Worker:
        return Worker(plan, partition, self._checkpoints[plan.name, partition], self)

    def _arrive(self) -> None:
        if self._arrivals:
            arrival = self._arrivals.popleft()
            self.logs.now += arrival.after_ms
            self.logs.append(arrival.topic, arrival.partition, None, arrival.value, arrival.headers)

    def _beat_some(self) -> None:
        self.logs.now += self._rng.randrange(3)
        for partition in range(self.raw_partitions):
            if self._rng.random() < 0.8:
                self.beat(partition)

    def beat(self, partition: int) -> None:
        value = encode(_beat(log_time=self.logs.now))
        self.logs.append("touchpoints.raw", partition, None, value, control_headers("beat", partition, value, SECRET))

    def _anyone(self) -> Worker:
        if self._zombies and self._rng.random() < 0.2:
            return self._rng.choice(self._zombies)
        return self._rng.choices(self.workers, self._pace)[0]

    def _deliver(self) -> None:
        worker = self._anyone()
        if not worker.sending and worker.behind:
            worker.deliver(worker.lazily() if self._lazy else self._rng.choice((1, 2, 5, 20)))

    def _send(self) -> None:
        worker = self._anyone()
        worker.send(self._rng, self._rng.choice((1, 2, 30)))

    def _checkpoint(self) -> None:
        worker = self._anyone()
        if not worker.sending and not worker.checkpoint():
            self._zombies.remove(worker)
            self.faults["a fenced zombie"] += 1

    def _lull(self) -> None:
        """Everything in the logs is worked off, so time catches up; zombies sleep on."""
        for partition in range(self.raw_partitions):
            self.beat(partition)
        self.settle()

    def _crash(self) -> None:
        self._replace(self._rng.randrange(len(self.workers)))

    def _take_over(self) -> None:
        self._zombies.append(self._replace(self._rng.randrange(len(self.workers))))

    def _replace(self, index: int) -> Worker:
        old = self.workers[index]
        self.workers[index] = self._start(old.plan, old.partition)
        self.faults["a crash"] += 1
        return old

    def _drain(self) -> None:
        """No more faults; time goes on until everything that arrived is behind a tick."""
        self._zombies.clear()
        for _ in range(4):
            self.logs.now += 10
            for partition in range(self.raw_partitions):
                self.beat(partition)
            self.settle()

    def pass_time(self, log_time: int) -> None:
        """For a run that is not live: the driver says that everything up to `log_time` has arrived."""
        self.logs.now = log_time
        for partition in range(self.raw_partitions):
            self.beat(partition)
        self.settle()

    def arrive_all(self) -> None:
        while self._arrivals:
            self._arrive()
        self.settle()

    def settle(self) -> None:
        for _ in range(10_000):
            busy = False
            for worker in self.workers:
                while worker.sending or worker.behind:
                    busy = True
                    if not worker.sending:
                        worker.deliver(50)
                    worker.send(self._rng, 1_000)
            if not busy:
                return
        raise AssertionError("the stages never come to rest: records cause records without end")
