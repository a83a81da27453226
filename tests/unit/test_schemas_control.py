from __future__ import annotations

import pytest

from schemas.control import Control, Headers, Unauthentic, control_headers, forwarded_headers, read_control
from schemas.records import At

SECRET, VALUE = b"a secret of the deployment", b'{"log_time":7}'
AT: At = ("resolve", 3, 17, 0)
FORWARDED = forwarded_headers([("source", b"till"), ("mac", b"x"), ("log_time", b"1")], 5, VALUE, SECRET, 99, AT)


def replaced(headers: Headers, name: str, value: bytes) -> Headers:
    return tuple((key, value if key == name else content) for key, content in headers)


@pytest.mark.parametrize("name", ["beat", "mark", "evidence"])
def test_what_we_wrote_is_believed_where_we_wrote_it(name: str) -> None:
    headers = control_headers(name, 5, VALUE, SECRET)  # type: ignore[arg-type]  # one of the three names
    assert read_control(headers, 5, VALUE, SECRET) == Control(name)  # type: ignore[arg-type]
    for found in (
        read_control(headers, 6, VALUE, SECRET),
        read_control(headers, 5, VALUE + b" ", SECRET),
        read_control(headers, 5, VALUE, b"another"),
        read_control(replaced(headers, "control", b"forwarded"), 5, VALUE, SECRET),
        read_control(headers[:1], 5, VALUE, SECRET),
        read_control((*headers, ("mac", b"")), 5, VALUE, SECRET),
    ):
        assert isinstance(found, Unauthentic)


def test_a_forwarded_touchpoint_keeps_its_own_headers_and_carries_ours() -> None:
    assert FORWARDED[0] == ("source", b"till")
    assert [name for name, _ in FORWARDED] == ["source", "control", "mac", "log_time", "at"]
    assert read_control(FORWARDED, 5, VALUE, SECRET) == Control("forwarded", 99, AT)


@pytest.mark.parametrize(
    ("name", "value"), [("log_time", b"98"), ("at", b'["resolve",3,18,0]'), ("mac", b"\xff"), ("control", b"beat")]
)
def test_what_a_forwarded_touchpoint_carries_cannot_be_changed(name: str, value: bytes) -> None:
    assert isinstance(read_control(replaced(FORWARDED, name, value), 5, VALUE, SECRET), Unauthentic)


def test_a_touchpoint_is_no_control_record() -> None:
    assert read_control([("source", b"till"), ("mac", b"x")], 5, VALUE, SECRET) is None
    assert isinstance(read_control([("control", b"reset")], 5, VALUE, SECRET), Unauthentic)
