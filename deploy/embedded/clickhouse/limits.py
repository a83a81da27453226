"""What one statement may use, and which settings a user may choose. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from deploy.embedded.clickhouse.gate import Role

_NAME: Final = re.compile(r"[A-Za-z_]\w*")
# A read-only user chooses how the reply is written and nothing that names a file.
_READER_MAY_SET: Final = re.compile(
    r"output_format_(?!schema)\w+|date_time_output_format|format_csv_delimiter|join_use_nulls|extremes"
    r"|max_block_size|max_threads|session_timezone|prefer_column_name_to_alias|log_comment"
)
# Clients send these with every statement (JDBC: async_insert); none changes what a read answers.
_ABOUT_WRITES: Final = re.compile(
    r"(wait_for_)?async_insert\w*|insert_\w+|input_format_\w+|date_time_input_format|http_\w+"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Memory of the whole engine, and of one statement of the read-only user."""

    engine_memory_bytes: int = 4 << 30
    query_memory_bytes: int = 1 << 30
    execution_seconds: int = 30
    result_rows: int = 5_000_000
    result_bytes: int = 512 << 20
    # A reply in a format that cannot be streamed is held in memory; for every user.
    whole_result_bytes: int = 256 << 20
    whole_result_rows: int = 2_000_000  # constant columns do not count as bytes


class SettingRefused(Exception):
    """A setting that this user cannot choose, or that is no name at all."""


def settings_of(
    role: Role, chosen: Mapping[str, str], limits: Limits, *, reads: bool, get: bool, whole: bool
) -> dict[str, str]:
    """Settings of the connection for one statement, in the order to apply: `readonly` is the last.

    `get`: sent with GET, which never writes. `whole`: the reply cannot be streamed. Raises SettingRefused.
    """
    for name in chosen:
        if not _NAME.fullmatch(name):
            raise SettingRefused(f"{name!r} is no name of a setting; check the parameters of the request")
    settings = {name: value for name, value in chosen.items() if name != "readonly"}
    if whole and reads:
        settings["result_overflow_mode"] = "throw"
        for name, cap in _whole_caps(limits).items():
            settings[name] = _lower(settings.get(name), cap)
    if role is Role.READER:
        return _reader_settings(settings, limits, whole=whole)
    readonly = "2" if get else chosen.get("readonly", "0")
    if readonly not in ("", "0"):
        settings["readonly"] = readonly
    return settings


def _reader_settings(chosen: Mapping[str, str], limits: Limits, *, whole: bool) -> dict[str, str]:
    caps = {
        "max_execution_time": limits.execution_seconds,
        "max_memory_usage": limits.query_memory_bytes,
        "max_result_rows": limits.result_rows,
        "max_result_bytes": limits.result_bytes,
    }
    if whole:
        caps |= {name: min(cap, caps[name]) for name, cap in _whole_caps(limits).items()}
    result = {"result_overflow_mode": "throw", "timeout_overflow_mode": "throw"}
    result |= {name: _lower(chosen.get(name), cap) for name, cap in caps.items()}
    for name, value in chosen.items():
        if _READER_MAY_SET.fullmatch(name):
            result[name] = value
        elif name not in result and not _ABOUT_WRITES.fullmatch(name):
            raise SettingRefused(f"Cannot modify '{name}' setting in readonly mode; leave it out or use the writer")
    return {**result, "readonly": "1"}


def _whole_caps(limits: Limits) -> dict[str, int]:
    return {"max_result_bytes": limits.whole_result_bytes, "max_result_rows": limits.whole_result_rows}


def _lower(wanted: str | None, cap: int) -> str:
    """The wish when it is a lower limit, else the cap: asking for more is common in clients and no error."""
    try:
        number = float(wanted or 0)
    except ValueError:
        return str(cap)
    return str(int(number) or 1) if 0 < number < cap else str(cap)
