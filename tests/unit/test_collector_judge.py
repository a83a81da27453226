"""The verdict at the door is the one that resolve will come to, on the record exactly as it is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.decode import TOUCHPOINT_BYTES_MAX, Decoded, decode_touchpoint
from schemas.identifiers import partition_of
from schemas.identity_reader import IdentityReader, IdentitySecrets
from schemas.settings import Settings, SettingsError
from sources.collector.judge import Format, Judged, Stamp, judge, time_or_none
from sources.collector.keys import Source, Trust
from sources.collector.start import options_of

PARTITIONS = 12
PERSONAL = b"clear"
CONTACT = st.sampled_from(["clear@shop.de", "Clear@Shop.DE ", "clear", "", "null", "clear" * 50]) | st.integers()
MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        "message_id": st.text(max_size=3) | st.integers(),
        "messageId": st.text(max_size=3) | st.none(),
        "type": st.sampled_from(["track", "identify", "page", "nonsense"]),
        "name": st.text(max_size=3),
        "event": st.text(max_size=3),
        "occurred_at": st.sampled_from(["2026-01-02T03:04:05Z", "yesterday"]),
        "timestamp": st.sampled_from(["2026-01-02T03:04:05.678Z", "2026-02-30T00:00:00Z"]),
        "identifiers": st.fixed_dictionaries(
            {}, optional={"user_id": st.text(max_size=2), "order_id": st.text(max_size=2), "email": CONTACT}
        ),
        "traits": st.fixed_dictionaries({}, optional={"email": CONTACT, "Phone": CONTACT, "name": st.text(max_size=2)}),
        "properties": st.fixed_dictionaries({}, optional={"customerEmail": CONTACT, "list": st.lists(st.none())}),
        "userId": st.text(max_size=2) | st.none() | st.integers(),
        "anonymousId": st.text(max_size=2) | st.none(),
        "colour": st.none(),
    },
)


READER = IdentityReader(secrets=IdentitySecrets(b"personal", b"proofs"))


def judged(item: bytes, format_: Format, log_time: int | None = None, trust: Trust = "browser") -> Judged:
    source = Source("web_shop", trust, "web")
    return judge(
        item,
        Stamp.of(
            format_,
            source,
            READER,
            received_at=1_767_323_046_500,
            sent_at=1_767_323_046_000,
            log_time=log_time,
            partitions=PARTITIONS,
        ),
    )


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    MEMBERS.map(lambda members: json.dumps(members).encode()) | st.binary(max_size=40),
    st.sampled_from(["touchline", "segment"]),
    st.sampled_from(["browser", "server"]),
)
def test_the_verdict_is_that_of_resolve(item: bytes, format_: Format, trust: Trust) -> None:
    one = judged(item, format_, trust=trust)
    seen_by_resolve = decode_touchpoint(one.record.value, one.record.headers, READER)
    assert one.record.value == READER.cleaned(item)
    assert PERSONAL not in one.record.value
    uncleaned = [(name, content) for name, content in one.record.headers if name != "cleaned"]
    assert decode_touchpoint(one.record.value, uncleaned, READER) == seen_by_resolve
    assert (one.line.verdict == "accepted") == isinstance(seen_by_resolve, Decoded)
    assert 0 <= one.record.partition < PARTITIONS
    if isinstance(seen_by_resolve, Decoded):
        assert one.record.key == seen_by_resolve.routing.encode()
        assert one.record.partition == partition_of(seen_by_resolve.routing, PARTITIONS)
        assert one.line.touchpoint_id == seen_by_resolve.touchpoint_id
        assert one.detail is None
    else:
        assert (one.record.key, one.line.failure, one.detail) == (None, seen_by_resolve.failure, seen_by_resolve.detail)


def test_a_refused_touchpoint_keeps_the_name_it_gives_itself() -> None:
    one = judged(b'{"message_id":"m-1","name":"seen","identifiers":{"user_id":"u-1"}}', "touchline")
    assert (one.line.message_id, one.line.name, one.line.field) == ("m-1", "seen", "occurred_at")
    large = b'{"message_id":"m-2","properties":{"text":"%s"}}' % (b"x" * TOUCHPOINT_BYTES_MAX)
    one = judged(large, "touchline")
    assert (one.line.message_id, one.line.failure) == ("m-2", "size_violation")
    assert judged(b'{"messageId":7}', "segment").line.message_id is None


def test_headers_say_what_the_request_said() -> None:
    headers = dict(judged(b"{}", "segment", log_time=1_700_000_000_000).record.headers)
    assert headers == {
        "format": b"segment",
        "source": b"web_shop",
        "trust": b"browser",
        "cleaned": READER.mark,
        "channel": b"web",
        "sent_at": b"1767323046000",
        "received_at": b"1767323046500",
        "log_time": b"1700000000000",
    }


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        ("2026-01-02T03:04:06.5Z", 1_767_323_046_500),
        ("2026-01-02T04:04:06.500999+01:00", 1_767_323_046_500),
        ("1969-12-31T23:59:59Z", None),
        ("2026-01-02", None),
        (7, None),
        (None, None),
    ],
)
def test_the_time_of_sending(value: object, ms: int | None) -> None:
    assert time_or_none(value) == ms


def test_a_live_collector_wants_the_secret_that_signs_its_beats() -> None:
    def given_settings(**given: object) -> Settings:
        known = {"write_keys_file": Path("keys.yaml"), "personal_key": "0123456789abcdef"}
        return Settings.model_validate(known | given)

    with pytest.raises(SettingsError, match="TOUCHLINE_CONTROL_SECRET"):
        options_of(given_settings())
    with pytest.raises(SettingsError, match="TOUCHLINE_RUN"):
        options_of(given_settings(run="replay"))
    assert options_of(given_settings(run="simulation")).beat_record is None
    assert options_of(given_settings(beats="worker")).beat_record is None
    live = options_of(given_settings(control_secret="a secret of the tests", topic_prefix="shop."))
    assert live.topic == "shop.touchpoints.raw"
    assert live.beat_record is not None
