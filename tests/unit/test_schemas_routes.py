"""A routes file with an error names file, line and column; a secret never stands in it."""

from pathlib import Path

import pytest

from schemas.routes import Filter, load_routes
from schemas.templates import TEMPLATE_FIELDS, template_fault
from schemas.yaml_file import DefinitionError

GOOD = """
routes:
  checkout_room:
    match: {journeys: [checkout], kinds: [missing_step], severity_at_least: error}
    target: {kind: slack, url_env: SLACK_CHECKOUT_ROOM}
    per_minute: 10
    template: "{state} {journey}"
  paging:
    target: {kind: webhook, url: "https://pager.example/in", secret_env: PAGER_SECRET}
  operations:
    target: {kind: alertmanager, url: "http://alertmanager.example:9093", username: us, secret_env: AM_PASSWORD}
runbooks:
  checkout: https://wiki.example/checkout
  checkout/paid: https://wiki.example/paid
maintenance:
  release:
    days: [sun, mon-wed]
    at: ["02:00"]
    lasts: 2h
    zone: Europe/Berlin
    match: {scopes: [source]}
flapping: {more_than: 3, within: 30m, steady_for: 10m}
"""
ENVIRON = {"SLACK_CHECKOUT_ROOM": "https://slack.example/x", "PAGER_SECRET": "s", "AM_PASSWORD": "p"}


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "routes.yaml"
    file.write_text(text)
    return file


def test_a_good_file_is_read(tmp_path: Path) -> None:
    found = load_routes(written(tmp_path, GOOD), ENVIRON)
    assert list(found.routes) == ["checkout_room", "paging", "operations"]
    assert found.routes["checkout_room"].per_minute == 10
    assert found.runbook("checkout", "paid") == "https://wiki.example/paid"
    assert found.runbook("checkout", "else") == "https://wiki.example/checkout"
    assert found.runbook("returns", "paid") is None
    assert found.maintenance["release"].match == Filter(scopes=["source"])
    assert (found.flapping.more_than, found.flapping.within) == (3, "30m")


@pytest.mark.parametrize(
    ("old", "new", "found_at", "says"),
    [
        ("severity_at_least: error", "severity_at_least: eror", "severity_at_least", "'error'"),
        ("kinds: [missing_step]", "kinds: [missing]", "missing]", "'missing_step'"),
        ("match:", "mach:", "mach", "Did you mean 'match'?"),
        ("url_env: S", "url_evn: S", "url_env|url_evn", "url_env is missing"),
        ("kind: slack", "kind: slak", "target: {kind: slak", "webhook, slack or alertmanager"),
        ("url_env: SLACK_CHECKOUT_ROOM", "url_env: https://slack.example/x", "url_env", "a name such as"),
        ("url_env: SLACK_CHECKOUT_ROOM", "url_env: TOUCHLINE_X", "url_env", "are settings"),
        ("secret_env: PAGER_SECRET", "secret_env: OTHER", "secret_env: OTHER", "OTHER is not set"),
        ("per_minute: 10", "per_minute: 0", "per_minute", "greater than or equal to 1"),
        ("per_minute: 10", 'per_minute: "10"', "per_minute", "valid integer"),
        ("{state} {journey}", "{state} {jurney}", "template", "Did you mean 'journey'?"),
        ("{state} {journey}", "{state.__class__}", "template", "is no field"),
        ("{state} {journey}", "{state!r}", "template", "bare name"),
        ("{state} {journey}", "{state:>9999}", "template", "bare name"),
        ("{state} {journey}", "{state", "template", "not a template"),
        ("  paging:", "  webhook:", "webhook:\n", "name of the route that the settings make"),
        ("  paging:", "  checkout_room:", "checkout_room:\n    target: {kind: webhook", "stands here twice"),
        ("PAGER_SECRET}", "PAGER_SECRET}\n    template: hello", "template: hello", "no JSON"),
        ('url: "https://pager.example/in", ', "", "target: {kind: webhook", "url, or url_env"),
        ('url: "https://pager.example/in", ', 'url: "https://pager.example/in", url_env: PAGER_SECRET, ',
         "target: {kind: webhook", "one of them"),
        ('url: "https://pager.example/in"', "url_env: OTHER", "url_env: OTHER", "OTHER is not set"),
        (", secret_env: AM_PASSWORD", "", "username", "needs a password"),
        ("https://pager.example/in", "ftp://pager.example/in", "url: \"ftp", "'http' or 'https'"),
        ("    per_minute: 10", "    per_minute:", "per_minute", "has no value"),
        ("days: [sun, mon-wed]", "days: [sunday]", "sunday", "no day"),
        ("days: [sun, mon-wed]", "days: [sun, sat-sun]", "days", "a day is given twice"),
        ('at: ["02:00"]', 'at: ["2:00"]', "at: [", "no time of day"),
        ("lasts: 2h", "lasts: 2 hours", "lasts", "a duration such as"),
        ("lasts: 2h", "lasts: 2d", "lasts", "more than a day"),
        ("zone: Europe/Berlin", "zone: Europe/Berln", "zone", "no time zone of this name"),
        ("    zone: Europe/Berlin\n", "", "release", "zone is missing"),
        ("lasts: 2h", "last: 2h", "last: 2h", "Did you mean 'lasts'?"),
        ("scopes: [source]", "scopes: [sources]", "sources]", "'source'"),
        ("more_than: 3", "more_than: 0", "more_than", "greater than or equal to 1"),
        ("steady_for: 10m", "steady_for: 10", "steady_for", "valid string"),
        ("steady_for: 10m", "stedy_for: 10m", "stedy_for", "Did you mean 'steady_for'?"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_place(tmp_path: Path, old: str, new: str, found_at: str, says: str) -> None:
    assert old in GOOD
    file = written(tmp_path, text := GOOD.replace(old, new, 1))
    with pytest.raises(DefinitionError) as caught:
        load_routes(file, ENVIRON)
    flaw = next(flaw for flaw in caught.value.flaws if says in flaw.text)
    place = next(text.index(part) for part in found_at.split("|") if part in text)
    assert flaw.line == text[:place].count("\n") + 1
    assert flaw.column > 1 or flaw.line == 1


def test_all_faults_are_told_at_once_and_no_secret_among_them(tmp_path: Path) -> None:
    text = GOOD.replace("url_env: SLACK_CHECKOUT_ROOM", "url_env: https://slack.example/hush").replace(
        "per_minute: 10", "per_minute: 0"
    )
    with pytest.raises(DefinitionError) as caught:
        load_routes(written(tmp_path, text), ENVIRON)
    assert len(caught.value.flaws) == 2
    assert "hush" not in str(caught.value)


def test_every_field_may_stand_in_a_template_and_braces_can_be_written() -> None:
    assert template_fault("".join(f"{{{field}}}" for field in TEMPLATE_FIELDS) + "{{}}") is None


def test_a_filter_takes_what_fulfils_all_of_it() -> None:
    everything = Filter()
    assert everything.takes("checkout", "paid", "missing_step", "team-a", "info")
    some = Filter(journeys=["checkout"], breaks=["paid"], owners=["team-a"], severity_at_least="error")
    assert some.takes("checkout", "paid", "repeated", "team-a", "critical")
    assert not some.takes("returns", "paid", "repeated", "team-a", "critical")
    assert not some.takes("checkout", "ready", "repeated", "team-a", "critical")
    assert not some.takes("checkout", "paid", "repeated", "team-b", "critical")
    assert not some.takes("checkout", "paid", "repeated", "team-a", "warning")
    sources = Filter(scopes=["source", "touchpoint"])
    assert sources.takes("sources", "till", "silent_source", "team-a", "info", "source")
    assert not sources.takes("checkout", "paid", "missing_step", "team-a", "info")
