"""The oracle's checks of alerts, on tiny runs: an unpaid order, whose alert must fire, heal, be withdrawn or move."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.oracle.tiny import Row, StepSaid, TinyRun, customer, minute

ANN, BEN = customer("user_id", "ann"), customer("user_id", "ben")
TABLET = customer("anonymous_id", "tablet")
LIFETIME = 14 * 24 * 60.0


def unpaid(
    directory: Path, end: float = 30, cleared: float | None = None, who: str = ANN, **other: Any
) -> tuple[TinyRun, Row]:
    """Order 7, placed at minute 0, due at 10, judged at 11; `cleared`: paid then. `other`: who places it."""
    run = TinyRun(directory, end)
    identifiers = other or {"user_id": "ann"}
    placed = run.touch("order_placed", 0, who, order_id="7", properties={"fulfilment": "pickup"}, **identifiers)
    members = [placed]
    steps: dict[str, StepSaid] = {"paid": ("missed", 10.0, None, "")}
    if cleared is not None:
        members.append(run.touch("payment_captured", cleared, who, "business_key", order_id="7"))
        steps = {
            "paid": ("reached", 10.0, cleared, members[1]),
            "ready": ("waiting", cleared + 480, None, ""),
        }
    expired = end > LIFETIME
    fault = ("paid", "missing_step", "paid", 1, 10, 10, cleared)
    status, ended = ("expired", LIFETIME) if expired else ("open", None)
    row = run.journey(
        "click_and_collect", who, "order_id:7", status, 0, members, ended=ended, steps=steps, breaks=(fault,)
    )
    return run, row


def open_in_view(run: TinyRun, *alerts: Row) -> None:
    run.broken_now = [{"alert_id": one["alert_id"], "state": one["state"]} for one in alerts]


def test_firing(tmp_path: Path) -> None:
    run, row = unpaid(tmp_path)
    open_in_view(run, run.alert(row, "firing", 11))
    assert run.report().as_text().endswith("no difference")
    run.alerts.clear()
    run.broken_now.clear()
    assert run.report().sorts == {"alert_state": 1}


def test_the_view_and_kafka_agree(tmp_path: Path) -> None:
    run, row = unpaid(tmp_path)
    fired = run.alert(row, "firing", 11)
    assert run.report().sorts == {"broken_now": 1}
    open_in_view(run, fired, fired)
    assert run.report().sorts == {"broken_now": 1}
    open_in_view(run, fired, fired | {"alert_id": "another"})
    assert run.report().sorts == {"broken_now": 1}


def test_resolved(tmp_path: Path) -> None:
    run, row = unpaid(tmp_path, cleared=20)
    fired = run.alert(row, "firing", 11)
    open_in_view(run, fired)
    assert run.report().sorts == {"alert_state": 1}
    open_in_view(run)
    run.alert(row, "resolved", 20, notify=True)
    assert run.report().as_text().endswith("no difference")


def test_cleared_at_once_tells_nobody(tmp_path: Path) -> None:
    run, row = unpaid(tmp_path, cleared=12)
    told = run.alert(row, "resolved", 13)
    assert run.report().right
    told["notify"] = True
    assert run.report().sorts == {"alert_change": 1}
    told["continues"] = "the former"
    assert run.report().right
    told["cleared_at"] += 1
    assert run.report().sorts == {"alert": 1}


def test_expired(tmp_path: Path) -> None:
    run, row = unpaid(tmp_path, end=LIFETIME + 1)
    run.alert(row, "firing", 11)
    assert run.report().sorts == {"alert_state": 1, "broken_now": 1}
    run.alert(row, "resolved", LIFETIME + 1, notify=True, reason="expired")
    assert run.report().as_text().endswith("no difference")


def paid_in_time_but_late(directory: Path) -> tuple[TinyRun, Row]:
    """Paid at minute 9; the payment arrives at 20, after the alert has fired."""
    run, row = unpaid(directory)
    late = run.touch("payment_captured", 9, ANN, "business_key", arrives=20, order_id="7")
    run.journeys.clear()
    steps = {"paid": ("reached", 10.0, 9.0, late), "ready": ("waiting", 489.0, None, "")}
    members = [run.touchpoints[0]["touchpoint_id"], late]
    run.journey("click_and_collect", ANN, "order_id:7", "open", 0, members, steps=steps)
    return run, row


def test_withdrawn(tmp_path: Path) -> None:
    run, row = paid_in_time_but_late(tmp_path)
    fired = run.alert(row, "firing", 11)
    open_in_view(run, fired)
    assert run.report().sorts == {"alert_without_break": 1}
    open_in_view(run)
    run.alert(row, "withdrawn", 20)
    assert run.report().as_text().endswith("no difference")


def test_withdrawn_without_a_reason(tmp_path: Path) -> None:
    run, row = paid_in_time_but_late(tmp_path)
    run.alert(row, "firing", 20)
    run.alert(row, "withdrawn", 20)
    assert run.report().sorts == {"alert_withdrawn": 1, "alert_false": 1}


def test_fired_although_the_payment_had_arrived(tmp_path: Path) -> None:
    run, row = paid_in_time_but_late(tmp_path)
    run.touch("page_viewed", 25, ANN, user_id="ann")
    run.alert(row, "firing", 21)
    run.alert(row, "withdrawn", 22)
    assert run.report().sorts == {"alert_false": 1}


def test_fired_too_early(tmp_path: Path) -> None:
    run, row = unpaid(tmp_path)
    open_in_view(run, run.alert(row, "firing", 10.9))
    assert run.report().sorts == {"alert_early": 1, "alert_false": 1}


def test_changes_follow_the_table(tmp_path: Path) -> None:
    run, row = unpaid(tmp_path)
    run.alert(row, "firing", 11)
    open_in_view(run, run.alert(row, "firing", 12))
    assert run.report().sorts == {"alert_change": 1, "alert_told_twice": 1}
    run.alerts[1]["notify"] = False
    assert run.report().sorts == {"alert_change": 1}
    del run.alerts[0]
    assert run.report().sorts == {"alert_change": 1}


def test_a_redelivered_change_is_the_same_change(tmp_path: Path) -> None:
    run, row = unpaid(tmp_path)
    fired = run.alert(row, "firing", 11)
    open_in_view(run, fired)
    run.alerts.append(fired | {"kafka_offset": 1})
    assert run.report().right


def test_a_wrong_cause_is_found(tmp_path: Path) -> None:
    run, row = unpaid(tmp_path)
    open_in_view(run, run.alert(row, "firing", 11, cause_at=minute(9)))
    assert run.report().sorts == {"alert": 1}


def moved(directory: Path) -> tuple[TinyRun, Row, Row]:
    """Ordered on a tablet without a name; at minute 15 Ann logs in there, and the order is hers."""
    run, row = unpaid(directory, who=ANN, anonymous_id="tablet")
    run.touchpoints[0]["attributed_by"] = "login"
    run.touch("identified", 15, ANN, anonymous_id="tablet", user_id="ann")
    former = row | {"customer_id": TABLET, "journey_id": "the former"}
    return run, row, former


def test_moved(tmp_path: Path) -> None:
    run, row, former = moved(tmp_path)
    first = run.alert(former, "firing", 11)
    second = run.alert(row, "firing", 15, continues=first["alert_id"])
    open_in_view(run, first, second)
    assert run.report().sorts == {"alert_without_break": 1}
    open_in_view(run, second)
    run.alert(former, "moved", 15)
    assert run.report().as_text().endswith("no difference")
    second["continues"] = None
    assert run.report().sorts == {"alert_told_twice": 1}


def test_a_key_is_of_one_version_and_stays_with_the_journey(tmp_path: Path) -> None:
    run, row, former = moved(tmp_path)
    first = run.alert(former, "firing", 11)
    run.alert(former, "moved", 15)
    heir = run.alert(row, "firing", 15, continues=first["alert_id"])
    open_in_view(run, heir)
    assert run.report().right
    heir["dedup_key"] = "another"
    assert run.report().sorts == {"alert_key": 1}
    heir["dedup_key"] = first["dedup_key"]
    shadow = run.alert(row, "firing", 16, version=2, mode="shadow", notify=False, alert_id="of the shadow")
    assert run.report().sorts["alert_key"] == 0
    shadow["dedup_key"] = first["dedup_key"]
    assert run.report().sorts["alert_key"] == 1


def test_the_successor_may_come_first(tmp_path: Path) -> None:
    """Former and successor are written by different partitions."""
    run, row, former = moved(tmp_path)
    first = run.alert(former, "firing", 11, kafka_offset=5, at=["track", 1, 0, 0])
    run.alert(former, "moved", 15, kafka_offset=6, at=["track", 1, 1, 0])
    open_in_view(run, run.alert(row, "firing", 15, continues=first["alert_id"], kafka_offset=1))
    assert run.report().as_text().endswith("no difference")


def test_the_former_one_may_not_stay_resolved(tmp_path: Path) -> None:
    run, row, former = moved(tmp_path)
    run.alert(former, "firing", 11)
    run.alert(former, "resolved", 12, notify=True)
    open_in_view(run, run.alert(row, "firing", 15, continues="the former"))
    assert run.report().sorts == {"alert_without_break": 1}
    run.alert(former, "moved", 15)
    assert run.report().right


def test_one_alert_stands_for_one_break(tmp_path: Path) -> None:
    run, row = unpaid(tmp_path)
    open_in_view(run, run.alert(row, "firing", 11))
    run.alert(row, "withdrawn", 25, customer_id=BEN)
    assert "alert" in run.report().sorts


def forgotten(directory: Path, end: float) -> tuple[TinyRun, Row]:
    """A case opened at minute 0 and answered at 60. Silence is due 3 days later, and judged after grace and the quarter
    of an hour that a call-back may take to arrive.
    """
    run = TinyRun(directory, end)
    opened = run.touch("ticket_opened", 0, ANN, user_id="ann", ticket_id="T1")
    answered = run.touch("ticket_answered", 60, ANN, "business_key", ticket_id="T1")
    steps: dict[str, StepSaid] = {"answered": ("reached", 240.0, 60.0, answered)}
    fault = ("forgotten", "abandoned", "", 1, SILENT, SILENT, None)
    row = run.journey("service_case", ANN, "ticket_id:T1", "open", 0, [opened, answered], steps=steps, breaks=(fault,))
    return run, row


SILENT = 60 + 3 * 24 * 60.0


def test_an_abandonment_names_no_step(tmp_path: Path) -> None:
    run, row = forgotten(tmp_path, SILENT + 16)
    fired = run.alert(row, "firing", SILENT + 16)
    open_in_view(run, fired)
    assert run.report().as_text().endswith("no difference")
    fired["step"] = "solved"
    assert run.report().sorts == {"alert": 1}


def test_an_abandonment_waits_for_all_that_may_arrive_late(tmp_path: Path) -> None:
    run, row = forgotten(tmp_path, SILENT + 16)
    open_in_view(run, run.alert(row, "firing", SILENT + 15))
    assert run.report().sorts == {"alert_early": 1, "alert_false": 1}


def test_a_ban_is_active_at_once_and_stays(tmp_path: Path) -> None:
    run = TinyRun(tmp_path, 60)
    members = [run.touch("ticket_opened", 0, ANN, user_id="ann", ticket_id="T1")]
    for at in (1, 2, 3):
        members.append(run.touch("ticket_reopened", at, ANN, "business_key", ticket_id="T1"))
    steps: dict[str, StepSaid] = {"answered": ("waiting", 240.0, None, "")}
    fault = ("reopened_again", "forbidden", "", 1, 2, None, None)
    row = run.journey("service_case", ANN, "ticket_id:T1", "open", 0, members, steps=steps, breaks=(fault,))
    open_in_view(run, run.alert(row, "firing", 2))
    assert run.report().as_text().endswith("no difference")
    open_in_view(run)
    run.alert(row, "resolved", 3, notify=True, cleared_at=3)
    assert run.report().sorts == {"alert_state": 1}
    run.journeys[0]["breaks.cause_at"] = [run.journeys[0]["breaks.cause_at"][0] + 60_000]
    assert run.report().sorts["break"] == 1
