"""A definition with an error names file, line, column and the nearest right word."""

from pathlib import Path

import pytest

from schemas.definition import Catalogue
from schemas.definition_files import DefinitionError, load_catalogue, load_definition, load_definitions

CATALOGUE = Path("touchpoints.yaml")
GOOD = Path("journeys/click_and_collect.yaml")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(CATALOGUE)


def test_what_is_shipped_is_right(catalogue: Catalogue) -> None:
    assert {definition.journey for definition in load_definitions(Path("journeys"), catalogue)} >= {
        "checkout",
        "click_and_collect",
    }


def spoil(tmp_path: Path, old: str, new: str) -> Path:
    text = GOOD.read_text()
    assert old in text
    file = tmp_path / "spoilt.yaml"
    file.write_text(text.replace(old, new, 1))
    return file


@pytest.mark.parametrize(
    ("old", "new", "found_at", "says"),
    [
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
        (", invoice_accepted]", "]", "any_of:", "expected 2 or more entries"),
        ("{fulfilment: pickup}", "{fulfilment: [pickup]}", "fulfilment: [", "expected a text, a number, true or false"),
        ("{fulfilment: pickup}", "{fulfilment: 2026-01-01}", "2026-01-01", "in quotes"),
        ("journey: click_and_collect", "journey: ClickAndCollect", "journey: C", "Did you mean 'click_and_collect'?"),
        ("  approved:", "  Approved:", "Approved:", "expected as name"),
        ("start: {", "start: [{", "steps:", "not valid YAML"),
        # YAML's traps.
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
        # Breaks.
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
    ],
)
def test_a_fault_is_named_with_its_place(
    tmp_path: Path, catalogue: Catalogue, old: str, new: str, found_at: str, says: str
) -> None:
    file = spoil(tmp_path, old, new)
    with pytest.raises(DefinitionError) as caught:
        load_definition(file, catalogue)
    text = file.read_text()
    line = text[: text.index(found_at)].count("\n") + 1
    (flaw,) = caught.value.flaws
    assert flaw.line == line
    assert text.splitlines()[line - 1][flaw.column - 1 :].startswith(found_at.split("\n")[0])
    assert says in flaw.text


def test_all_faults_of_all_files_are_told_at_once(tmp_path: Path, catalogue: Catalogue) -> None:
    (tmp_path / "a.yaml").write_text(
        GOOD.read_text().replace("within: 8h", "within: x").replace("mode: live", "mode: on")
    )
    (tmp_path / "b.yaml").write_text("[]")
    with pytest.raises(DefinitionError) as caught:
        load_definitions(tmp_path, catalogue)
    assert len(caught.value.flaws) == 3


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a: [", b"a: !!python/object:os.system {}", b"", b"x" * (1 << 21)])
def test_a_file_that_is_no_definition_is_refused(tmp_path: Path, catalogue: Catalogue, content: bytes) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(content)
    with pytest.raises(DefinitionError):
        load_definition(file, catalogue)
