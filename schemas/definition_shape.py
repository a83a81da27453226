"""What pydantic refuses in a definition or catalogue, as sentences for whoever wrote the file.

Each says what was expected and, where one is near, the right word: a field of the same place, one of the allowed
values, `8h` for "8 hours". Every kind of fault that the models can raise has a sentence here; a test goes through
them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel

from schemas.definition import LINKS
from schemas.yaml_file import Path_, nearest

DURATIONS: Final = {
    *("within", "in_window", "apart", "tolerate", "idle", "grace", "lifetime"),
    *("arrives_within", "login_before", "link", "silent_after", "catches_up"),
}
DURATION: Final = "a duration such as 90s, 10m, 8h or 7d"
NO_TIME: Final = " Nothing can happen in no time: 1s is the least."
FORM: Final = r"^[!-z|~]*(\{[a-z][a-z0-9_]*\})?[!-z|~]*$"
"""Of a source's name in sources.yaml: ASCII without blanks, as `source` is; at most one {property}."""
FORM_SAID: Final = "the name of a source, in which at most one part stands open, as in till-{store_id}"
LINK: Final = "a link that begins with https:// or http:// and has no blanks"
WORD: Final = "a word of small letters, digits and _, beginning with a letter"
FACT_TYPES: Final = {"str", "int", "float", "bool"}
"""pydantic names the branches of a union as if they were keys."""
GROUPS: Final = ("device", "contact", "business_key")
SHOWN_MAX: Final = 40
LINK_SHOWN_MAX: Final = 120

_SPAN = re.compile(r"\s*p?t?\s*(\d{1,6})\s*([a-z]+)\.?\s*", re.IGNORECASE)
_UNITS: Final = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), (1, "s")),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), (1, "m")),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), (1, "h")),
    **dict.fromkeys(("d", "day", "days"), (1, "d")),
    **dict.fromkeys(("w", "week", "weeks"), (7, "d")),
}
_TYPES: Final = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "list_type": "a list such as [a, b]",
}
_LIMITS: Final = {
    "too_short": "{min_length} or more entries",
    "too_long": "at most {max_length} entries",
    "string_too_short": "{min_length} or more characters",
    "string_too_long": "at most {max_length} characters",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
    "literal_error": "{expected}",
    "union_tag_invalid": "{expected_tags}",
}


def path_of(problem: Any, drop: int) -> Path_:
    """The place in the file. `drop`: how many leading parts of pydantic's path the file does not have."""
    path = tuple(part for part in problem["loc"][drop:] if part != "[key]")
    if path[:1] == ("identifiers",) and path[2:3] and path[2] in GROUPS:
        path = (*path[:2], *path[3:])  # pydantic names the branch that `group` chooses.
    if problem["type"] == "union_tag_invalid":
        path = (*path, "group")
    return path[:-1] if _is_fact(path[:-1]) and path[-1] in FACT_TYPES else path


def sentence(problem: Any, path: Path_, fields: dict[str, str]) -> str:
    """`fields`: those of the place, with what they are."""
    where = ".".join(str(part) for part in path) or "the file"
    last = str(path[-1]) if path else ""
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown field.{nearest(last, fields) or ' Fields here: ' + ', '.join(fields) + '.'}"
    if problem["type"] == "union_tag_not_found":
        own = f" A kind of your own says its group: {', '.join(GROUPS[:-1])} or {GROUPS[-1]}."
        return f"{where}: unknown field.{nearest(last, fields) or own}"
    if problem["type"] == "missing":
        return f"{where} is missing: {fields.get(last, 'it is required.')}"
    if problem["type"] == "value_error":
        said = str(problem["ctx"]["error"])
        return f"{where}: {said}{'' if said.endswith('?') else '.'}"
    context = problem.get("ctx", {})
    given = context.get("tag", context.get("actual_length", problem["input"]))
    return f"{where}: expected {_expected(problem, path)}{_given(given)}.{_near(problem, path)}"


def fields_of(model: type[BaseModel], path: Path_) -> dict[str, str]:
    """The fields beside the last part of a path, by the names of the file, with their descriptions. The path is
    pydantic's: of a kind of one's own its group, too, stands in it.
    """
    here: Any = model
    for part in path[:-1]:
        here = _below(here, part)
    if not (isinstance(here, type) and issubclass(here, BaseModel)):
        return {}
    return {info.alias or name: info.description or "" for name, info in here.model_fields.items()}


def _below(kind: Any, part: str | int) -> Any:
    """The type at one key or index of a type; without None and Annotated."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        found = [info.annotation for name, info in kind.model_fields.items() if part in (name, info.alias)]
        return _bare(found[0]) if found else getattr(kind, "by_group", None)
    if isinstance(kind, Mapping):
        return kind.get(part)
    arguments = get_args(kind)
    return _bare(arguments[-1]) if get_origin(kind) in (dict, list) else None


def _bare(kind: Any) -> Any:
    arguments = [each for each in get_args(kind) if each is not type(None)]
    return _bare(arguments[0]) if arguments and get_origin(kind) not in (dict, list) else kind


def _is_fact(path: Path_) -> bool:
    return len(path) > 1 and path[-2] == "where"


def _is_form(problem: Any) -> bool:
    return bool(problem["type"] == "string_pattern_mismatch" and problem["ctx"]["pattern"] == FORM)


def _is_link(problem: Any) -> bool:
    return bool(problem["type"] == "string_pattern_mismatch" and problem["ctx"]["pattern"] == LINKS)


def _expected(problem: Any, path: Path_) -> str:
    kind = problem["type"]
    if _is_form(problem):
        return FORM_SAID
    if _is_link(problem):
        return LINK
    if "[key]" in problem["loc"]:
        return WORD if kind not in _LIMITS else f"a name of {_LIMITS[kind].format(**problem['ctx'])}"
    if _is_fact(path):
        return "a text, a number, true or false"
    if path and path[-1] in DURATIONS:
        return DURATION
    if kind in _LIMITS:
        return _LIMITS[kind].format(**problem["ctx"])
    return _TYPES.get(kind) or WORD


def _given(value: Any) -> str:
    if isinstance(value, dict | list):
        return ", not a mapping" if isinstance(value, dict) else ", not a list"
    shown = str(value).lower() if isinstance(value, bool) else repr(value)
    return f", not {shown}" if len(shown) <= SHOWN_MAX else ""


def _near(problem: Any, path: Path_) -> str:
    kind, value = problem["type"], problem["input"]
    if kind == "literal_error":
        return nearest(str(value), re.findall(r"'([^']*)'", problem["ctx"]["expected"]))
    if kind == "union_tag_invalid":
        return nearest(str(problem["ctx"]["tag"]), GROUPS)
    if path and path[-1] in DURATIONS and "[key]" not in problem["loc"]:
        return _like_a_duration(value)
    if kind == "string_pattern_mismatch":
        return "" if _is_form(problem) else _like_a_link(value) if _is_link(problem) else _like_a_word(value)
    if kind == "string_type" and isinstance(value, bool | int | float):
        return " Write it in quotes if it is a text."
    return ""


def _like_a_duration(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return f" Add the unit: {value}s, {value}m, {value}h or {value}d."
    if re.fullmatch(r"0+\s*[a-z]*", str(value), re.IGNORECASE):
        return NO_TIME
    found = _SPAN.fullmatch(value) if isinstance(value, str) else None
    factor, unit = _UNITS.get(found[2].lower(), (0, "")) if found else (0, "")
    amount = int(found[1]) * factor if found else 0
    return f" Did you mean '{amount}{unit}'?" if 0 < amount < 1_000_000 else ""


def _like_a_link(value: str) -> str:
    scheme, sign, rest = value.partition("://")
    rest = rest if sign else scheme
    likely = "." in rest.split("/")[0] and not re.search(r"\s", rest)
    return f" Did you mean 'https://{rest}'?" if likely and len(value) <= LINK_SHOWN_MAX else ""


def _like_a_word(value: str) -> str:
    word = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", value).lower()).strip("_0123456789")
    return f" Did you mean {word!r}?" if 0 < len(word) <= 60 else ""
