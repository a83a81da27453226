"""The definition that the design shows is accepted as it stands, with a catalogue that has its touchpoints."""

from __future__ import annotations

from pathlib import Path

from schemas.definition_files import load_catalogue, load_definition
from streams.journey.compile import compile_definitions
from streams.journey.track import Track
from tests.journey_case import MINUTE, NOON, Log, placed, play, touch

EXAMPLE = Path(__file__).parent / "definitions" / "design_example.yaml"
CATALOGUE = """
order_placed: {owner: team-checkout, impact: {stage: purchase, mode: control, criticality: high}, channel: web}
order_approved: {owner: team-checkout, impact: {stage: purchase, mode: activate, criticality: low}}
payment_captured: {owner: team-payments, impact: {stage: purchase, mode: control, criticality: high}}
payment_declined: {owner: team-payments, impact: {stage: purchase, mode: control, criticality: medium}}
invoice_accepted: {owner: team-payments, impact: {stage: purchase, mode: activate, criticality: medium}}
ready_for_pickup: {owner: team-stores, impact: {stage: fulfilment, mode: control, criticality: high}}
order_cancelled: {owner: team-checkout, impact: {stage: purchase, mode: control, criticality: high}}
order_refunded: {owner: team-checkout, impact: {stage: service, mode: control, criticality: high}}
feedback_requested: {owner: team-insight, impact: {stage: loyalty, mode: activate, criticality: medium}}
feedback_given:
  owner: team-insight
  impact: {stage: loyalty, mode: activate, criticality: medium}
  score: {property: csat, worst: 1, neutral: 3, best: 5}
picked_up:
  channel: store
  owner: team-stores
  impact: {stage: fulfilment, mode: control, criticality: high, valence: positive}
  attributed_by: order_id   # the till knows no person
  arrives_within: 20m       # tills upload in batches: deadlines waiting for this fire that much later
  properties: {order_id: {type: string, required: true}, store_id: {type: string, required: true}}
"""


def test_the_example_of_the_design_loads_compiles_and_fires(tmp_path: Path) -> None:
    (tmp_path / "touchpoints.yaml").write_text(CATALOGUE)
    catalogue = load_catalogue(tmp_path / "touchpoints.yaml")
    definition = load_definition(EXAMPLE, catalogue)
    approved = definition.steps["approved"]
    assert (approved.within, approved.if_missing) == (None, "nothing")
    log = Log()
    log.attach(placed())
    log.tick(NOON + 12 * MINUTE)
    log.attach(touch("order_approved", NOON + 13 * MINUTE), touch("payment_captured", NOON + 14 * MINUTE))
    outcome = play(log, Track(0, compile_definitions([definition], catalogue), "live"))
    assert [(alert["break_name"], alert["state"]) for alert in outcome.alerts] == [
        ("paid", "firing"),
        ("paid", "resolved"),
    ]
    assert outcome.step("approved")["status"] == "reached"
