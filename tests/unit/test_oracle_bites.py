"""The planted defects: each still finds what it replaces, and the verdict on a run is the right one."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.oracle.bites import is_right, said
from tests.oracle.defects import DEFECTS, LOADER, WORKER
from tests.oracle.identity_defects import HISTORIES, IDENTITY_DEFECTS, breaks_a_law
from tests.oracle.report import Report

ROOT = Path(__file__).resolve().parents[2]


def test_every_defect_can_be_planted() -> None:
    """In a process of its own: planting changes the product for good."""
    plant_all = "from tests.oracle.defects import DEFECTS\nfor one in DEFECTS.values(): one.plant()"
    done = subprocess.run([sys.executable, "-c", plant_all], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_there_are_twenty_in_three_programs() -> None:
    assert Counter(one.program for one in DEFECTS.values()) == {WORKER: 10, LOADER: 2, HISTORIES: 8}


def test_a_history_must_break_the_right_law() -> None:
    held, broken = "400 of 400 histories hold every law", "history 3 breaks a law\nin check_names\nMisnamed: a contact"
    assert breaks_a_law(None, held)
    assert not breaks_a_law(None, broken)
    for defect in IDENTITY_DEFECTS.values():
        assert not breaks_a_law(defect, held)
        assert breaks_a_law(defect, broken) == ("Misnamed" in defect.found_as)
        assert not breaks_a_law(defect, "history 3 breaks a law\nKeyError: 'a bug'")


def test_a_green_run_is_right_only_without_a_defect() -> None:
    assert is_right(None, Report())
    assert not any(is_right(defect, Report()) for defect in DEFECTS.values())


def test_a_red_run_must_be_red_for_the_right_reason() -> None:
    report = Report()
    report.differ("counts", "one duplicate too few")
    assert not is_right(None, report)
    assert [name for name, defect in DEFECTS.items() if is_right(defect, report)] == ["count a duplicate as new"]
    assert said(report) == '{"counts": 1}, such as one duplicate too few'


def test_a_report_is_bounded() -> None:
    report = Report()
    for number in range(1_000):
        report.differ("lost", f"touchpoint {number} " + "x" * 1_000)
    assert report.sorts == {"lost": 1_000}
    assert len(report.as_text().splitlines()) < 20
    assert max(map(len, report.as_text().splitlines())) < 500
