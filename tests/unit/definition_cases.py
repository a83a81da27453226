"""Ways to spoil a good definition: what is replaced by what, where the flaw stands, what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

GOOD: Final = Path(__file__).parent / "definitions" / "click_and_collect.yaml"
VERSION: Final = re.findall(r"^version: \d+$", GOOD.read_text(), re.MULTILINE)[0]
CLEARS_WHAT_IT_COUNTS: Final = """touchpoint: picked_up
    where: {channel: store, store_id: "7"}
    at_least: 3
    in_window: 1d
    cleared_by: collected"""
BROKEN: Final[list[tuple[str, str, str, str]]] = [
    ("within: 8h", "within: 8 hours", "within: 8 hours", "a duration such as"),
    ("after: ready", "after: redy", "after: redy", "Did you mean 'ready'?"),
    ("touchpoint: picked_up", "touchpoint: pickd_up", "touchpoint: pickd_up", "Did you mean 'picked_up'?"),
    ("severity: critical", "severty: critical", "severty: critical", "Did you mean 'severity'?"),
    (VERSION, f"{VERSION}\nversion: 99", "version: 99", "stands here twice"),
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
    ("within: 8h", "within: 0h", "within: 0h", "Nothing can happen in no time: 1s is the least."),
    ("grace: 1m", "grace: 0", "grace: 0", "Nothing can happen in no time: 1s is the least."),
    ("within: 10m", "within: true", "within: true", "not true"),
    ("within: 10m", "within: [10m]", "within: [10m]", "not a list"),
    ("within: 10m", "within: '10:00'", "within: '10:00'", "expected a duration"),
    ("within: 10m", "within:", "within:\n    severity", "is empty"),
    ("within: 2d\n    handoff", "within: 15d\n    handoff", "within: 15d", "longer than the lifetime (14d)"),
    ("within: 2d\n    handoff", "within: 14d\n    handoff", "within: 14d", "as long as the lifetime (14d)"),
    ("after: start\n  paid", "after: start\n    if_missing: count\n  paid", "if_missing: count", "needs a deadline"),
    ("after: start\n  paid", "after: start\n    if_missing: break\n  paid", "if_missing: break", "needs a deadline"),
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
    (VERSION, "version: 1.5", "version: 1.5", "expected a whole number"),
    (VERSION, "version: 0", "version: 0", "expected 1 or more"),
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
    # Channels and scores that the catalogue does not have.
    ("{fulfilment: pickup}", "{channel: stor}", "channel: stor}", "Did you mean 'store'?"),
    ("{from: web, to: store}", "{from: wep, to: store}", "from: wep", "Did you mean 'web'?"),
    ("{from: web, to: store}", "{from: fax, to: store}", "from: fax", "Add it to the touchpoint that comes on it."),
    ("score: csat", "score: cssat", "score: cssat", "Did you mean 'csat'?"),
    ("score: csat", "score: mood", "score: mood", "no touchpoint of the catalogue has a 'mood'. Declare it there"),
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
    ("touchpoint: payment_declined", "touchpoint: order_refunded", "touchpoint: order_r", "can only be banned"),
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
    ("{fulfilment: pickup}", "{fulfillment: pickup}", "fulfillment: pickup", "Did you mean 'fulfilment'?"),
    ("{fulfilment: pickup}", "{gift: true}", "gift: true", "Declared: order_id, fulfilment. Declare it too"),
    ("{channel: store}", "{stor_id: '7'}", "stor_id: '7'", "no 'stor_id' of 'picked_up'. Did you mean 'store_id'?"),
    ("{channel: store}", "{store_id: 0815}", "store_id: 0815", "Write it in quotes."),
    ("score: csat", "score: store_id", "score: store_id", "never a number"),
    (
        "if_absent: only_open_one}",
        "if_absent: only_open}",
        "if_absent: only_open}",
        "Did you mean 'only_open_one'?",
    ),
    ("{key: order_id,", "{key: customer,", "if_absent:", "if_absent is for business keys"),
    # Steps that are not simply awaited, starts and ends.
    ("within: 8h", "within: 8h\n    times: 0", "times: 0", "expected 1 or more"),
    ("after: start\n  paid", "after: start\n    feedback: true\n  paid", "feedback: true", "needs a deadline"),
    ("within: 2d\n    handoff", "within: 2d\n    feedback: true\n    handoff", "feedback: true", "no question"),
    ("if_missing: count", "if_missing: count\n    feedback: true", "feedback: true", "not to ask is a break"),
    ("within: 8h", "within: 8h\n    excused_by: [ready_for_pickup]", "ready_for_pickup]\n", "so it excuses nothing"),
    ("within: 8h", "within: 8h\n    excused_by: [order_cancelled]", "order_cancelled]\n", "it ends the journey anyway"),
    ("within: 8h", "within: 8h\n    excused_by: [feedback_givn]", "feedback_givn]", "Did you mean 'feedback_given'?"),
    (
        "start: {touchpoint: order_placed,",
        "start: {touchpoint: order_placed, weighted: true,",
        "start: {touchpoint: order_placed, w",
        "either one",
    ),
    ("start: {touchpoint: order_placed,", "start: {weighted: true,", "weighted:", "only the journeys of a customer"),
    ("start: {touchpoint: order_placed,", "start: {", "start:", "the start names either one touchpoint"),
    ("{success: collected, failure", "{failure", "outcome:", "one is the success"),
    (", order_refunded]", ", order_placed]", "touchpoint: order_placed,", "what begins a journey cannot end it"),
    # Links.
    ("grace: 1m", "runbook: htps://wiki.example/a\ngrace: 1m", "runbook: htps", "expected a link that begins with"),
    ("grace: 1m", "runbook: htps://wiki.example/a\ngrace: 1m", "runbook: htps", "'https://wiki.example/a'?"),
    ("grace: 1m", "runbook: wiki.example/a\ngrace: 1m", "runbook: wiki", "Did you mean 'https://wiki.example/a'?"),
    ("within: 8h", "within: 8h\n    runbook: see the wiki", "runbook: see", "and has no blanks, not 'see the wiki'."),
]
FINE: Final = [
    "where: {channel: web}\n    cleared_by: collected",
    "cleared_by: collected",
    "where: {gift: 1}\n    cleared_by: gifted",
    "where: {gift: '1'}\n    cleared_by: gifted",
]
"""Of a repetition of `picked_up`: touchpoints that count and do not clear."""


def with_break(rule: str) -> str:
    """The good definition with this break, named `trouble`, and no other."""
    text = GOOD.read_text()
    lines = "".join(f"    {line}\n" for line in rule.splitlines())
    return f"{text[: text.index('breaks:')]}breaks:\n  trouble:\n{lines}{text[text.index('grace:') :]}"


SHAPED: Final[list[tuple[str, str]]] = [
    ("low_score", "score: csat\nbelow: 3\nabout: collected"),
    ("low_score", "score: csat\nbelow: 3"),
    ("low_score", "score: csat\nbelow: 3\nabout: collected\ncleared_by: answered"),
    ("repeated", "touchpoint: payment_declined\nat_least: 3\nin_window: 10m\ncleared_by: paid"),
    ("repeated", "touchpoint: payment_declined\nwhere: {channel: web}\nat_least: 3\nin_window: 10m\ncleared_by: paid"),
    ("repeated", "touchpoint: payment_declined\nat_least: 3\nin_window: 10m\napart: 5m\ncleared_by: paid"),
    ("failure_event", "touchpoint: payment_declined\ncleared_by: paid"),
    ("failure_event", "touchpoint: payment_declined\nwhere: {channel: web}\ncleared_by: paid\ntolerate: 5m"),
    ("failure_event", "touchpoint: picked_up\ncleared_by: collected"),
    ("out_of_order", "touchpoint: picked_up\nrequires: paid"),
    ("out_of_order", "touchpoint: picked_up\nwhere: {channel: store}\nrequires: paid\ntolerate: 13d"),
    ("out_of_order", "touchpoint: picked_up\nwhere: {channel: web}\nrequires: collected"),
    ("skipped_step", "without: ready"),
    ("skipped_step", "without: paid\ntolerate: 1h"),
    ("abandoned", "idle: 13d"),
    ("forbidden", "touchpoint: order_refunded\nat_most: 0"),
    ("forbidden", "touchpoint: order_refunded\nwhere: {reason: fraud}\nat_most: 1"),
    ("forbidden", "touchpoint: order_refunded\nnever_with: picked_up"),
    ("forbidden", "touchpoint: picked_up\nnever_with: order_cancelled"),
    ("experience_balance", "balance_below: -3\nuntil: 0\nhalf_life: 7d"),
    ("experience_balance", "balance_below: 0.5\nuntil: 0.5\nhalf_life: 90s\nrunbook: https://wiki.example/soured"),
    ("identity_conflict", "persons_above: 1"),
    ("identity_conflict", "persons_above: 2\namong: [order_placed, order_cancelled]"),
]
"""Breaks of every shape, all right, and the kind of their alerts."""
MISSHAPED: Final[list[tuple[str, str, str, bool]]] = [
    # What is missing.
    ("touchpoint: payment_declined", "trouble:", "lacks cleared_by. It needs touchpoint, cleared_by.", False),
    ("cleared_by: paid", "trouble:", "lacks touchpoint, at_least, in_window.", False),
    ("severity: info", "trouble:", "lacks touchpoint, at_least, in_window, cleared_by.", False),
    ("touchpoint: payment_declined\nat_least: 3\ncleared_by: paid", "trouble:", "lacks in_window.", False),
    ("requires: paid", "trouble:", "lacks touchpoint. It needs touchpoint, requires.", False),
    ("at_most: 1", "trouble:", "lacks touchpoint. It needs touchpoint, at_most or never_with.", False),
    ("score: csat\nabout: collected", "trouble:", "lacks below.", False),
    ("balance_below: -3\nuntil: 0", "trouble:", "lacks half_life.", False),
    ("half_life: 7d", "trouble:", "lacks balance_below, until.", False),
    # What has no place.
    ("persons_above: 1\ntouchpoint: picked_up", "trouble:", "conflict of persons; touchpoint has no place", False),
    ("balance_below: 1\nuntil: 2\nhalf_life: 1d\nabout: paid", "trouble:", "balance; about has no place", False),
    ("idle: 1d\ntouchpoint: picked_up", "trouble:", "abandonment; touchpoint has no place", False),
    ("idle: 1d\ntolerate: 1h", "trouble:", "tolerate has no place in it.", False),
    ("without: ready\ntouchpoint: picked_up", "trouble:", "skipped step; touchpoint has no place in it.", False),
    ("without: ready\nwhere: {channel: store}", "trouble:", "where has no place in it.", False),
    ("touchpoint: picked_up\nrequires: paid\ncleared_by: paid", "trouble:", "wrong order; cleared_by has no pl", False),
    ("touchpoint: picked_up\nat_most: 1\ntolerate: 1h", "trouble:", "is a ban; tolerate has no place in it.", False),
    ("touchpoint: picked_up\nat_most: 1\nin_window: 1h", "trouble:", "is a ban; in_window has no place in it.", False),
    ("touchpoint: payment_declined\ncleared_by: paid\nabout: paid", "trouble:", "failure; about has no place", False),
    (
        "touchpoint: payment_declined\nat_least: 3\nin_window: 1h\ncleared_by: paid\ntolerate: 1h",
        "trouble:",
        "repetition; tolerate has no place in it.",
        False,
    ),
    ("touchpoint: picked_up\nat_most: 1\nnever_with: page_viewed", "trouble:", "are two bans. Make two breaks", False),
    # Values.
    ("idle: 2 weeks", "idle: 2 weeks", "Did you mean '14d'?", False),
    ("without: ready\ntolerate: 60", "tolerate: 60", "Add the unit: 60s", False),
    ("touchpoint: picked_up\nat_most: -1", "at_most: -1", "expected 0 or more", False),
    ("touchpoint: picked_up\nat_most: 51", "at_most: 51", "expected 50 or less", False),
    ("touchpoint: picked_up\nat_most: one", "at_most: one", "expected a whole number", False),
    ("touchpoint: picked_up\nrequire: paid", "require: paid", "Did you mean 'requires'?", False),
    # Steps and touchpoints that are not there. Of touchpoints the schema knows, of steps not.
    ("touchpoint: picked_up\nrequires: payed", "requires: payed", "Did you mean 'paid'?", True),
    ("touchpoint: picked_up\nrequires: start", "requires: start", "there is no step 'start'", False),
    ("touchpoint: picked_up\nrequires: invoice_accepted", "requires: inv", "Did you mean 'paid'?", True),
    ("without: redy", "without: redy", "Did you mean 'ready'?", True),
    ("without: start", "without: start", "there is no step 'start'", False),
    (
        "touchpoint: picked_up\nnever_with: order_refundd",
        "never_with: order_r",
        "Did you mean 'order_refunded'?",
        False,
    ),
    ("touchpoint: picked_up\nnever_with: ready", "never_with: ready", "Did you mean 'ready_for_pickup'?", False),
    ("touchpoint: pickd_up\nat_most: 1", "touchpoint: pickd_up", "Did you mean 'picked_up'?", False),
    ("touchpoint: picked_up\nwhere: {channel: 7}\nrequires: paid", "channel: 7", "never equals one", False),
    # What could never take effect.
    ("idle: 15d", "idle: 15d", "longer than the lifetime (14d)", True),
    ("idle: 14d", "idle: 14d", "as long as the lifetime (14d)", True),
    ("without: ready\ntolerate: 14d", "tolerate: 14d", "nobody is told", True),
    (
        "touchpoint: payment_declined\nat_least: 3\nin_window: 10m\napart: 301s\ncleared_by: paid",
        "in_window: 10m",
        "3 of them, 301s apart, never come within 10m. Lengthen it, or shorten apart.",
        True,
    ),
    (
        "touchpoint: payment_declined\nat_least: 5\nin_window: 3s\ncleared_by: paid",
        "in_window: 3s",
        "5 of them, 1s apart, never come within 3s. Lengthen it.",
        True,
    ),
    ("score: csat\nbelow: 3\ncleared_by: answerd", "cleared_by: answerd", "Did you mean 'answered'?", True),
    ("score: csat\nbelow: 3\napart: 1s", "trouble:", "is a low score; apart has no place in it.", False),
    ("without: ready\ntolerate: 15d", "tolerate: 15d", "longer than the lifetime (14d)", True),
    ("touchpoint: payment_declined\ncleared_by: paid\ntolerate: 337h", "tolerate: 337h", "longer than the l", True),
    ("touchpoint: payment_captured\ncleared_by: paid", "cleared_by: paid", "also clears the break", True),
    ("touchpoint: payment_captured\nrequires: paid", "requires: paid", "is itself what the step requires", True),
    ("without: collected", "without: collected", "is the success itself", True),
    ("touchpoint: picked_up\nnever_with: picked_up", "never_with: picked_up", "For its number take at_most.", True),
    ("balance_below: 1\nuntil: 0\nhalf_life: 1d", "until: 0", "it would end while it begins", True),
    ("persons_above: 1\namong: [picked_up, picked_up]", "picked_up]", "stands here twice", False),
    ("persons_above: 1\namong: [pickd_up]", "pickd_up", "Did you mean 'picked_up'?", False),
    ("persons_above: 1\nrunbook: wiki", "runbook: wiki", "expected a link that begins with https://", False),
    ("touchpoint: picked_up\nwhere: {gift: true}\nrequires: paid", "gift: true", "Declared: order_id, store_id", True),
    (
        "touchpoint: payment_declined\nwhere: {gift: true}\nrequires: paid\nrunbook: a.b/c d",
        "runbook: a",
        "a link",
        False,
    ),
    ("touchpoint: order_cancelled\ncleared_by: paid", "touchpoint: order_c", "can only be banned", True),
    ("touchpoint: order_cancelled\nrequires: paid", "touchpoint: order_c", "can only be banned", True),
]
"""A break, where its one flaw stands, what that says, and whether JSON Schema has no words for it."""
