"""The stages of Touchline, wired into a simulated world; and weaker ones that the laws must catch."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from random import Random
from typing import Literal

from schemas.control import HOPS
from schemas.identity_reader import IdentityReader, IdentitySecrets
from schemas.identity_rules import (
    EmailRules,
    IdentityLimits,
    IdentityRules,
    Kinds,
    LoyaltyCardRules,
    PhoneRules,
    UserRules,
)
from schemas.records import Run
from schemas.sources import SourceRules, forms_of
from streams.identity.resolve import Resolve, ResolveConfig
from streams.journey.compile import compile_definitions
from streams.journey.track import Track
from streams.pace.contracts import watched_contracts
from streams.pace.keep_time import KeepTime
from streams.product import Product, watches_of
from streams.stage import Stage
from tests.oracle.reading import catalogue_of, sources_of
from tests.oracle.rules import DAY
from tests.oracle.usable import Rules
from tests.simulated.generate import Arrival, Shape, history, shape
from tests.simulated.journeys import catalogue, catalogue_said, definitions, sources_said
from tests.simulated.own_kinds import OWN
from tests.simulated.scheduler import SECRET, Odds, StagePlan, World
from tests.simulated.weaker import Causeless, Deaf, LastArrival, Mute, NeverAgain

PARTITIONS = 3
KIOSK_TOUCHPOINTS = 12
KIOSK_USERS = 3
MOST = 2
COMPONENT = 6
KEY_TOUCHPOINTS = 10
"""So few that histories with a handful of identifiers exceed them."""
RULES = Rules(
    kiosk_users=KIOSK_USERS,
    kiosk_touchpoints=KIOSK_TOUCHPOINTS,
    most_otherwise=MOST,
    component=COMPONENT,
    key_touchpoints=KEY_TOUCHPOINTS,
    known=catalogue_of(catalogue_said()),
    personal_key=b"personal",
    proof_secret=b"proofs",
)
IDENTITY_RULES = IdentityRules(
    phone_region="DE",
    identifiers=Kinds(
        user_id=UserRules(most=MOST),
        email=EmailRules(most=MOST),
        phone=PhoneRules(most=MOST),
        loyalty_card=LoyaltyCardRules(most=MOST),
    ),
    limits=IdentityLimits(
        kiosk_users=KIOSK_USERS,
        kiosk_touchpoints=KIOSK_TOUCHPOINTS,
        component=COMPONENT,
        key_touchpoints=KEY_TOUCHPOINTS,
    ),
)
READER = IdentityReader(IDENTITY_RULES, IdentitySecrets(b"personal", b"proofs"))
PRODUCT = Product(definitions(), catalogue(), SECRET, "simulation", RULES.horizon, reader=READER)
SOURCE_RULES = SourceRules.model_validate({"sources": sources_said()})
WATCHED = sources_of(sources_said())
CONFIG = ResolveConfig(
    catalogue(),
    SECRET,
    frozenset(("fulfilment",)),
    persons=True,
    limits=PRODUCT.limits(),
    reader=READER,
    sources=forms_of(SOURCE_RULES),
)
OWN_RULES = replace(RULES, kinds=OWN)
"""The same deployment with kinds of its own."""
OWN_IDENTITY_RULES = IdentityRules.model_validate(
    IDENTITY_RULES.model_dump()
    | {
        "identifiers": IDENTITY_RULES.identifiers.model_dump()
        | {
            kind: getattr(IDENTITY_RULES.identifiers, kind).model_dump() | {"priority": priority}
            for kind, priority in {"device_id": 3, "email": 2, "phone": 3, "loyalty_card": 4}.items()
        }
        | {kind: {"priority": priority} for kind, priority in {"receipt_id": 3, "ticket_id": 4, "claim_id": 5}.items()}
        | {
            "cookie_id": {"group": "device", "priority": 2},
            "passport": {"group": "contact", "priority": 1, "personal": True, "most": MOST},
            "member": {"group": "contact", "priority": 5, "most": MOST},
            "booking_id": {"group": "business_key", "priority": 2},
        }
    }
)
OWN_READER = IdentityReader(OWN_IDENTITY_RULES, IdentitySecrets(b"personal", b"proofs"))
OWN_CONFIG = replace(CONFIG, limits=replace(PRODUCT, reader=OWN_READER).limits(), reader=OWN_READER)
LINK_DAYS = 8
FORGETFUL_RULES = replace(RULES, link_days=LINK_DAYS)
FORGETFUL = replace(CONFIG, limits=replace(CONFIG.limits, link_ms=LINK_DAYS * DAY))
"""Links are forgotten as soon as a rule may say: just after the touchpoints that they are made of."""
KEPT = 4
WORN_OUT = 4
TIGHT_RULES = replace(RULES, kept=KEPT, kiosk_touchpoints=KEPT - 1, key_touchpoints=WORN_OUT)
TIGHT = replace(
    CONFIG,
    limits=replace(CONFIG.limits, kept=KEPT, kiosk_touchpoints=KEPT - 1, key_touchpoints=WORN_OUT),
)
"""Identifiers keep less than what comes, and keys wear out soon."""
COMPILED = compile_definitions(definitions(), catalogue())
EAGER = Odds(arrive=3, beat=1, deliver=20, send=20, checkpoint=0, crash=0, zombie=0, lull=0)
"""No faults, and time close behind the touchpoints: a weak protocol needs no crash to be wrong."""
LAZY = replace(EAGER, arrive=1, lazy=True)
Weaker = Literal[
    "one round less",
    "no round",
    "nothing caused",
    "never judged again",
    "last arrival wins",
    "sources never quiet",
    "silent for good",
]


def resolve(config: ResolveConfig, weaker: Weaker | None, partitions: int, partition: int) -> Stage:
    stage = Resolve(partition, partitions, config)
    if weaker == "never judged again":
        return NeverAgain(stage, SECRET)
    if weaker == "nothing caused":
        return Causeless(stage, SECRET)
    return LastArrival(stage, SECRET) if weaker == "last arrival wins" else stage


def track(run: Run, partition: int) -> Stage:
    return Track(partition, COMPILED, run)


def keep_time(weaker: Weaker | None, partitions: int, partition: int) -> Stage:
    assert partition == 0
    hops = HOPS - 1 if weaker == "one round less" else 0 if weaker == "no round" else HOPS
    contracts, sources = watched_contracts(catalogue()), watches_of(SOURCE_RULES)
    stage = KeepTime(partitions, partitions, SECRET, hops, watched_contracts=contracts, watched_sources=sources)
    if weaker == "sources never quiet":
        return Deaf(stage, SECRET)
    return Mute(stage, SECRET) if weaker == "silent for good" else stage


def plans(
    run: Run, weaker: Weaker | None, with_track: bool, partitions: int = PARTITIONS, config: ResolveConfig = CONFIG
) -> list[StagePlan]:
    config = replace(config, run=run)
    attributing = [
        StagePlan("resolve", "touchpoints.raw", partitions, partial(resolve, config, weaker, partitions)),
        StagePlan("keep_time", "progress", 1, partial(keep_time, weaker, partitions)),
    ]
    return attributing + [StagePlan("track", "touchpoints", partitions, partial(track, run))] * with_track


def build(
    rng: Random,
    weaker: Weaker | None = None,
    of: Shape | None = None,
    with_track: bool = False,
    config: ResolveConfig = CONFIG,
    rules: Rules = RULES,
) -> World:
    faults = rng.choice((0, 1, 1, 3))
    odds = Odds(
        arrive=rng.choice((1.5, 6)),
        beat=rng.choice((0.5, 2)),
        lull=rng.choice((0.1, 1)),
        deliver=rng.choice((6, 20)),
        send=rng.choice((6, 20)),
        crash=faults,
        zombie=faults,
    )
    if weaker is not None:
        odds = LAZY if weaker in ("one round less", "no round", "nothing caused") else EAGER
    arrivals = history(rng, PARTITIONS, of or shape(rng), rules, SECRET)
    return World(rng, plans("live", weaker, with_track, config=config), arrivals, odds)


def build_calm(arrivals: list[Arrival], partitions: int = PARTITIONS, config: ResolveConfig = CONFIG) -> World:
    """Nothing goes wrong, and time passes at the end only."""
    odds = Odds(beat=0, crash=0, zombie=0, lull=0)
    stages = plans("simulation", None, with_track=True, partitions=partitions, config=config)
    return World(Random(0), stages, arrivals, odds)
