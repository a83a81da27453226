"""The oracle's hand-made copies are the definitions and the catalogue of the repository, but for what they say to leave
out. Whoever changes a shipped definition changes its copy in tests/oracle/definitions.py, by hand.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.oracle.definitions import DEFINITIONS, KNOWN
from tests.oracle.files import ROOT, files_in
from tests.oracle.rules import Definition

SHIPPED = files_in(ROOT)
LEFT_OUT = {"reminded"}
"""Steps."""


@pytest.mark.parametrize("copy", DEFINITIONS, ids=lambda copy: copy.name)
def test_a_copy_says_what_the_file_says(copy: Definition) -> None:
    (shipped,) = (one for one in SHIPPED.definitions if one.name == copy.name)
    steps = tuple(replace(step, hours=None) for step in shipped.steps if step.name not in LEFT_OUT)
    assert copy == replace(shipped, version=1, persons=(), steps=steps, known=copy.known)


def test_what_is_known_of_touchpoints() -> None:
    assert KNOWN.keys() <= SHIPPED.known.keys()
    needed = {name for one in DEFINITIONS for name in one.names()}
    assert needed <= KNOWN.keys()
    for name, one in KNOWN.items():
        said = SHIPPED.known[name]
        assert (one.channel, one.ends_session, one.arrives_within) == (
            said.channel,
            said.ends_session,
            said.arrives_within,
        )
