"""What `make bench` measures is the job that all contenders have: Touchline's answer over it is the true one."""

from __future__ import annotations

from benchmarks.generate import generate
from benchmarks.judge import differing, expected
from benchmarks.profile import answer_of, timed_parts
from benchmarks.touchline_worker import JOB


def test_touchline_answers_as_the_truth_says() -> None:
    workload = generate(3_000, 5)
    right = expected(workload.truth, "touchline")
    assert {key[1] for key in right} == set(JOB)
    assert {key[0] for key in right} == {"journey", "alert"}
    _, machine = timed_parts(workload.records, functions=False)
    assert differing(right, answer_of(machine)) == []
