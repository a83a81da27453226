"""Answers: what an entry of the catalogue makes of itself, found by name, and what makes no sense in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.cli.explain import explained
from schemas.answers import NAME_MAX, answers_of
from schemas.definition import Catalogue, duration_ms
from schemas.definition_checks import flaws_of
from schemas.definition_files import DefinitionError, find_definition, load_catalogue, load_definitions
from streams.journey.compile import compile_definitions
from streams.journey.track import Track
from tests.journey_case import DAY, HOUR, MINUTE, NOON, Log, play, touch

CATALOGUE = """
review_published:
  owner: team-brand
  impact: {stage: advocacy, mode: participate, criticality: medium}
  answer: {touchpoint: review_answered, within: 2d}
review_answered:
  owner: team-brand
  impact: {stage: advocacy, mode: activate, criticality: low}
claim_filed:
  owner: team-service
  impact: {stage: service, mode: participate, criticality: high}
  attributed_by: claim_id
  answer: {touchpoint: review_answered, within: 45d}
liked:
  owner: team-brand
  impact: {stage: advocacy, mode: participate, criticality: low}
noise:
  owner: team-brand
  impact: {stage: advocacy, mode: ignore, criticality: low}
"""
JOURNEY = """
journey: {name}
version: 1
owner: team-brand
instance: {{key: customer}}
start: {{touchpoint: review_published}}
steps:
  answered: {{touchpoint: review_answered, within: 1d}}
outcome: {{success: answered}}
"""


def catalogue(tmp_path: Path, text: str = CATALOGUE) -> Catalogue:
    file = tmp_path / "touchpoints.yaml"
    file.write_text(text)
    return load_catalogue(file)


def test_an_answer_is_a_definition_without_flaws(tmp_path: Path) -> None:
    known = catalogue(tmp_path)
    review, claim = answers_of(known)
    assert (review.journey, review.version, review.mode, review.owner) == (
        *("answer_review_published", 1, "live", "team-brand"),
    )
    assert (review.instance.key, claim.instance.key) == ("customer", "claim_id")
    assert (review.start.touchpoint, list(review.steps), review.outcome.success) == (
        *("review_published", ["answered"], "answered"),
    )
    step = review.steps["answered"]
    assert (step.touchpoint, step.within, step.severity, step.if_missing) == (
        *("review_answered", "2d", "warning", "break"),
    )
    assert claim.steps["answered"].severity == "error"
    assert duration_ms(claim.lifetime) >= duration_ms("45d"), "a deadline after the lifetime would never count"
    for answer in (review, claim):
        assert list(flaws_of(answer, known)) == []
    assert len(compile_definitions([review, claim], known).definitions) == 2


def test_it_is_loaded_and_explained_like_a_file(tmp_path: Path) -> None:
    known = catalogue(tmp_path)
    folder = tmp_path / "journeys"
    folder.mkdir()
    (folder / "own.yaml").write_text(JOURNEY.format(name="own"))
    names = [definition.journey for definition in load_definitions(folder, known)]
    assert names == ["own", "answer_review_published", "answer_claim_filed"]
    found = find_definition("answer_review_published", folder, known)
    assert found == answers_of(known)[0]
    text = explained(found, known, only_diagram=False)
    assert "review_answered" in text
    assert "2 days" in text
    with pytest.raises(DefinitionError, match="answer_review_published"):
        find_definition("answer_review_publised", folder, known)


def test_a_file_cannot_take_its_name(tmp_path: Path) -> None:
    known = catalogue(tmp_path)
    folder = tmp_path / "journeys"
    folder.mkdir()
    (folder / "own.yaml").write_text(JOURNEY.format(name="answer_review_published"))
    with pytest.raises(DefinitionError, match=r"own\.yaml:2:\d+: .*made from the `answer`"):
        load_definitions(folder, known)
    (folder / "own.yaml").write_text(JOURNEY.format(name="answer_liked"))
    assert len(load_definitions(folder, known)) == 3


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("touchpoint: review_answered, within: 2d", "touchpoint: review_answred, within: 2d", "Did you mean"),
        ("touchpoint: review_answered, within: 2d", "touchpoint: review_published, within: 2d", "answer itself"),
        ("touchpoint: review_answered, within: 2d", "touchpoint: noise, within: 2d", "mode ignore"),
        ("mode: participate, criticality: medium", "mode: activate, criticality: medium", "for mode participate"),
        ("review_published:", f"{'r' * (NAME_MAX + 1)}:", "too long"),
        (
            "mode: ignore, criticality: low}",
            "mode: monitor, criticality: low}\n  score: {property: p, worst: 1, neutral: 1, best: 5}",
            "between worst and best",
        ),
        (
            "mode: ignore, criticality: low}",
            "mode: monitor, criticality: low}\n  properties: {p: {type: string}}\n"
            "  score: {property: p, worst: 1, neutral: 3, best: 5}",
            "never a number",
        ),
        (
            "mode: ignore, criticality: low}",
            "mode: monitor, criticality: low}\n  properties: {p: {type: number}}\n  referrer: p",
            "a user_id is a text",
        ),
    ],
)
def test_what_makes_no_sense_is_named_with_its_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert CATALOGUE.count(old) == 1
    with pytest.raises(DefinitionError, match=rf"touchpoints\.yaml:\d+:\d+: .*{said}"):
        catalogue(tmp_path, CATALOGUE.replace(old, new))


REVIEW, ANSWER = "review_published", "review_answered"


@pytest.mark.parametrize(
    ("said", "owed"),
    [
        ([(REVIEW, 0), (ANSWER, HOUR), (REVIEW, 2 * HOUR)], [2 * HOUR]),
        ([(REVIEW, 0), (REVIEW, HOUR), (ANSWER, 2 * HOUR)], []),
        ([(REVIEW, 0), (REVIEW, HOUR)], [0]),
        ([(REVIEW, 0), (REVIEW, HOUR), (ANSWER, 2 * HOUR), (ANSWER, 3 * HOUR), (REVIEW, 4 * HOUR)], [4 * HOUR]),
        ([(REVIEW, 0), (ANSWER, HOUR), (REVIEW, 3 * DAY), (ANSWER, 4 * DAY)], []),
    ],
)
def test_one_answer_answers_all_that_came_before_it(
    tmp_path: Path, said: list[tuple[str, int]], owed: list[int]
) -> None:
    """`owed`: when what is owed began. Who waits is the customer: a review that waits already waits for both."""
    known = catalogue(tmp_path)
    log = Log()
    for name, after in said:
        log.resolved(touch(name, NOON + after, order=None))
    for hours in range(24 * 8):
        log.tick(NOON + hours * HOUR + MINUTE)
    outcome = play(log, Track(0, compile_definitions(answers_of(known)[:1], known), "live"), range(len(log.records)))
    firing = [alert for alert in outcome.alerts if alert["state"] == "firing"]
    assert [alert["cause_at"] - NOON - 2 * DAY for alert in firing] == owed
    assert [alert["state"] for alert in outcome.alerts] == ["firing"] * len(owed)
