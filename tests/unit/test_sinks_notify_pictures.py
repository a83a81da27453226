"""docs/notifications.md shows what people see in each state, as it is."""

from __future__ import annotations

from tests.notification_pictures import PAGE, pictures, shown


def test_the_page_shows_each_state_as_it_reads() -> None:
    made = pictures()
    assert shown(PAGE.read_text("utf-8")) == made, "python -m tests.notification_pictures writes them anew"
    for said in (
        "FIRING",
        "ACKNOWLEDGED",
        "STILL FIRING",
        "RESOLVED",
        "FLAPPING",
        "silenced until",
        '"flapping": true',
    ):
        assert said in made
