"""People who decide about identifiers of a history, at random: to link, to unlink, to block, and to take it back."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from schemas.control import control_headers
from schemas.control_records import Decision, DecisionKind
from schemas.fast import encode, fast_type
from tests.oracle.usable import Rules, normalised, stored
from tests.simulated.own_kinds import own_of

Written = tuple[bytes, tuple[tuple[str, bytes], ...]]
_decision = fast_type(Decision)


def deciding(
    rng: Random, users: int, devices: int, pool: int, world: str, rules: Rules, secret: bytes
) -> Callable[[int, int], Written]:
    """Each call (number, moment) is one more decision, as it lies on `progress`."""
    made: list[tuple[DecisionKind, str, str | None]] = []

    def decide(number: int, now: int) -> Written:
        kind: DecisionKind = rng.choices(("link", "unlink", "block", "lift"), (5, 5, 3, 3))[0]
        if kind == "lift" and made and rng.random() < 0.9:
            _, identifier, user = rng.choice(made)
        else:
            user = None if kind == "block" else f"{world}u{rng.randrange(users)}"
            identifier = _identifier(rng, kind, devices, pool, world, rules)
        made.append((kind, identifier, user))
        value = encode(
            _decision(
                at=("identity", 0, number, 0),
                decision_id=f"{world}decision{number}",
                kind=kind,
                identifier=identifier,
                user_id=user,
                reason="a history",
                decided_by="nobody",
                decided_at=now,
            )
        )
        return value, control_headers("decision", 0, value, secret)

    return decide


def _identifier(rng: Random, kind: DecisionKind, devices: int, pool: int, world: str, rules: Rules) -> str:
    """As it is stored: a block may be about anything, the others about a device or a contact."""
    number = rng.randrange(pool)
    choices = [
        ("anonymous_id", f"{world}d{rng.randrange(devices)}"),
        ("email", f"{world}e{number}@example.org"),
        ("loyalty_card", f"{world}c{number}"),
    ]
    if kind == "block":
        choices += [("user_id", f"{world}u0"), ("order_id", f"{world}o0")]
    about, value = rng.choice(choices)
    about = own_of(rng, about, rules)
    normal = normalised(about, value, rules)
    assert normal is not None
    return f"{about}:{stored(about, normal, rules)}"
