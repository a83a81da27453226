"""Ways to spoil a good definition: what is replaced by what, where the flaw stands, what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Final

GOOD: Final = Path("journeys/click_and_collect.yaml")
CLEARS_WHAT_IT_COUNTS: Final = """touchpoint: picked_up
    where: {channel: store, gift: true}
    at_least: 3
    in_window: 1d
    cleared_by: collected"""
BROKEN: Final[list[tuple[str, str, str, str]]] = [
    ("within: 8h", "within: 8 hours", "within: 8 hours", "a duration such as"),
    ("after: ready", "after: redy", "after: redy", "Did you mean 'ready'?"),
    ("touchpoint: picked_up", "touchpoint: pickd_up", "touchpoint: pickd_up", "Did you mean 'picked_up'?"),
    ("severity: critical", "severty: critical", "severty: critical", "Did you mean 'severity'?"),
    ("version: 1", "version: 1\nversion: 2", "version: 2", "stands here twice"),
    ("grace: 1m", "grace: 10:00", "10:00", "in quotes"),
    ("if_missing: count", "if_missing: cout", "if_missing: cout", "Did you mean 'count'?"),
    ("cleared_by: paid", "cleared_by: payd", "cleared_by: payd", "Did you mean 'paid'?"),
    ("    cleared_by: paid\n", "", "payment_trouble:", "lacks cleared_by"),
    ("after: asked", "after: answered", "after: answered", "after itself"),
    ("success: collected", "success: collectd", "success: collectd", "Did you mean 'collected'?"),
    ("bad_pickup:", "ready:", "ready:\n    score", "told apart by name"),
    # Durations, and what people write instead.
    ("within: 8h", "within: 8 hours", "within: 8 hours", "Did you mean '8h'?"),
    ("within: 2d", "within: 1 week", "within: 1 week", "Did you mean '7d'?"),
    ("within: 2d", "within: PT48H", "within: PT48H", "Did you mean '48h'?"),
    ("within: 10m", "within: 600", "within: 600", "Add the unit: 600s"),
    ("within: 10m", "within: 0m", "within: 0m", "expected a duration such as 90s"),
    ("within: 10m", "within: true", "within: true", "not true"),
    ("within: 10m", "within: [10m]", "within: [10m]", "not a list"),
    ("within: 10m", "within: '10:00'", "within: '10:00'", "expected a duration"),
    ("within: 10m", "within:", "within:\n    severity", "is empty"),
    ("within: 2d\n    handoff", "within: 15d\n    handoff", "within: 15d", "longer than the lifetime (14d)"),
    # Fields and their values.
    (
        "severity: critical",
        "severity: sever",
        "severity: sever",
        "expected 'info', 'warning', 'error' or 'critical'",
    ),
    ("any_of:", "anyof:", "anyof:", "Did you mean 'any_of'?"),
    ("grace: 1m", "graze: 1m", "graze: 1m", "Did you mean 'grace'?"),
    ("from: web", "form: web", "form: web", "Did you mean 'from'?"),
    ("owner: team-stores", "owner: team-stores\nslug: x", "slug: x", "Fields here: journey, version"),
    ("version: 1", "version: 1.5", "version: 1.5", "expected a whole number"),
    ("version: 1", "version: 0", "version: 0", "expected 1 or more"),
    ("owner: team-stores", "owner: 7", "owner: 7", "Write it in quotes if it is a text."),
    ("owner: team-stores", "owner: ''", "owner: ''", "expected 1 or more characters"),
    ("owner: team-stores\n", "", "# Ordered", "owner is missing: The team that answers"),
    ("at_least: 3", "at_least: 1", "at_least: 1", "expected 2 or more"),
    ("below: 3", "below: .nan", "below: .nan", "expected a finite number"),
    ("below: 3", "below: low", "below: low", "expected a number"),
    ("any_of: [payment_captured, invoice_accepted]", "any_of: paid", "any_of: paid", "expected a list"),
    (", invoice_accepted]", "]", "any_of:", "expected 2 or more entries, not 1."),
    ("{fulfilment: pickup}", "{fulfilment: [pickup]}", "fulfilment: [", "expected a text, a number, true or false"),
    ("{fulfilment: pickup}", "{fulfilment: 2026-01-01}", "2026-01-01", "in quotes"),
    ("journey: click_and_collect", "journey: ClickAndCollect", "journey: C", "Did you mean 'click_and_collect'?"),
    ("  approved:", "  Approved:", "Approved:", "expected a word of small letters"),
    ("start: {", "start: [{", "steps:", "not valid YAML"),
    # YAML's traps.
    ("within: 10m", "within: +_", "+_", "YAML takes it for a number"),
    ("within: 10m", "within: *x", "*x", "aliases (*x) are not followed"),
    ("after: paid", "after: !x paid", "!x", "Remove it"),
    ("after: paid", "after: ready: x", ": x", "a second ':' on this line"),
    ("grace: 1m", "\tgrace: 1m", "\tgrace", "Indent with spaces"),
    ("lifetime: 14d", "lifetime: 14d\n---\na: b", "---", "One file holds one"),
    # Steps.
    ("after: ready", "after: done", "after: done", "The steps are: start, approved, paid"),
    ("success: collected", "success: start", "success: start", "there is no step 'start'"),
    ("  approved:", "  start:", "start:\n    touchpoint", "name of the beginning"),
    ("    touchpoint: picked_up\n", "", "collected:", "either one touchpoint or any_of"),
    ("touchpoint: order_approved", "touchpoint: order_refunded", "touchpoint: order_refunded", "reaches no step"),
    ("payment_captured, invoice", "order_cancelled, invoice", "order_cancelled, inv", "reaches no step"),
    (", invoice_accepted", ", payment_captured", "payment_captured]", "stands here twice"),
    (", order_refunded", ", order_cancelled", "order_cancelled]", "stands here twice"),
    ("    within: 8h\n", "    severity: info\n", "severity: info", "severity needs a deadline"),
    ("    within: 1d\n    severity: warning", "    if_missing: count", "if_missing: count", "Add 'within'"),
    ("{from: web, to: store}", "{from: store, to: store}", "handoff: {", "goes to another channel"),
    ("{from: web, to: store}", "{from: web, to: app}", "to: app", "waits for channel 'store'"),
    ("success: collected", "success: picked_up", "success: picked_up", "Did you mean 'collected'?"),
    ("[order_cancelled,", "[ready,", "ready, order", "Did you mean 'ready_for_pickup'?"),
    # Breaks.
    ("cleared_by: paid", "cleared_by: invoice_accepted", "cleared_by: invoice_accepted", "Did you mean 'paid'?"),
    ("    cleared_by: paid", "    cleared_by: payed", "cleared_by: payed", "Did you mean 'paid'?"),
    ("about: collected", "about: start", "about: start", "there is no step 'start'"),
    ("    about: collected", "    about: collected\n    in_window: 5m", "bad_pickup:", "in_window has no place"),
    (
        "    about: collected",
        "    about: collected\n    where: {channel: store}",
        "bad_pickup:",
        "where has no place",
    ),
    ("touchpoint: payment_declined", "touchpoint: order_refunded", "touchpoint: order_r", "never repeats"),
    ("touchpoint: payment_declined", "touchpoint: payment_captured", "cleared_by: paid", "never begins"),
    (
        "touchpoint: payment_declined\n    at_least: 3\n    in_window: 10m\n    cleared_by: paid",
        CLEARS_WHAT_IT_COUNTS,
        "cleared_by: collected",
        "never begins",
    ),
    # The catalogue.
    ("[order_cancelled,", "[order_canceled,", "order_canceled,", "Did you mean 'order_cancelled'?"),
    ("invoice_accepted]", "invoice_acepted]", "invoice_acepted]", "Did you mean 'invoice_accepted'?"),
    ("touchpoint: payment_declined", "touchpoint: payment_decline", "touchpoint: payment_d", "'payment_declined'?"),
    ("{channel: store}", "{channel: 7}", "channel: 7", "is a string, and 7 never equals one. Write it in quotes."),
    ("{channel: store}", "{store_id: 0815}", "store_id: 0815", "Write it in quotes."),
    ("score: csat", "score: store_id", "score: store_id", "never a number"),
    (
        "if_absent: only_open_one}",
        "if_absent: only_open}",
        "if_absent: only_open}",
        "Did you mean 'only_open_one'?",
    ),
    ("{key: order_id,", "{key: customer,", "if_absent:", "if_absent is for business keys"),
]
FINE: Final = [
    "where: {channel: web}\n    cleared_by: collected",
    "cleared_by: collected",
    "where: {gift: 1}\n    cleared_by: gifted",
    "where: {gift: '1'}\n    cleared_by: gifted",
]
"""Of a repetition of `picked_up`: touchpoints that count and do not clear."""
