"""Fast decoders, derived from the pydantic contracts: one definition, two decoders that agree on every input.

pydantic is the definition (JSON Schema, readable errors); msgspec does the work, several times faster.
`fast_type(Model)` is a frozen msgspec.Struct with the same fields, constraints and defaults. For the type
checker it is the model, so attribute access is checked; at run time it is not: it has no `model_dump` (use
`encode`), and `isinstance(value, Model)` is false (tell records apart by `.type`, which mypy narrows).

What cannot be derived faithfully (validators, lax mode, two names for a field, unknown constraints) is a
TypeError when the module loads.

Decisions where the libraries leave a choice:
- A key that occurs twice: the last one counts, and every one must fulfil the contract. pydantic alone looks
  at the last only.
- NaN, Infinity, and numbers beyond a double are refused; the contracts switch them off in pydantic.
- `type` may be absent where only one type is possible; in a union it is required.

A decoder raises one of DECODE_ERRORS and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, reduce
from operator import or_
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, cast, get_args, get_origin, overload

import annotated_types
import msgspec
from pydantic import BaseModel, StringConstraints
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from schemas.checked import Checked, TooDeep, check_tree
from schemas.touchpoint import OpenContract

M = TypeVar("M", bound=BaseModel)
A = TypeVar("A", bound=BaseModel)
B = TypeVar("B", bound=BaseModel)
C = TypeVar("C", bound=BaseModel)
D = TypeVar("D", bound=BaseModel)
E = TypeVar("E", bound=BaseModel)
F = TypeVar("F", bound=BaseModel)

DECODE_ERRORS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""msgspec.ValidationError (a DecodeError): JSON that breaks the contract. The others: no JSON, or too deep."""

OPEN_VALIDATORS: Final = OpenContract.__pydantic_decorators__.model_validators.keys()
SCALARS: Final = (str, int, float, bool, NoneType)


class DepthError(msgspec.ValidationError):
    """JSON that is nested more deeply than the limit."""


def fast_type(model: type[M]) -> type[M]:
    """The Struct of a model, the same one at every call. Construct it by keyword, as the model."""
    return cast(type[M], _struct(model))


def fast_decoder(model: type[M]) -> Callable[[bytes], M]:
    decode, checks = fast_shape_decoder(model), _checks(model)
    if not checks:
        return decode

    def decode_checked(value: bytes) -> M:
        record = decode(value)
        for field, check in checks:
            content = getattr(record, field)
            try:
                if content is not None:
                    check(content)
            except TooDeep as error:
                raise DepthError(f"{error} - at `$.{field}`") from None
            except ValueError as error:
                raise msgspec.ValidationError(f"{error} - at `$.{field}`") from None
        return record

    return decode_checked


def fast_shape_decoder(model: type[M]) -> Callable[[bytes], M]:
    """Without the checks that need Python (`schemas.checked`), for a caller that makes them itself. An OpenContract
    keeps its check of the whole.
    """
    if issubclass(model, OpenContract):
        return _open_decoder(model)
    return cast(Callable[[bytes], M], msgspec.json.Decoder(_struct(model)).decode)


def _open_decoder(model: type[M]) -> Callable[[bytes], M]:
    """In two steps, because msgspec does not look into fields that it skips."""
    struct, parse, convert = _struct(model), msgspec.json.Decoder().decode, msgspec.convert

    def decode_open(value: bytes) -> Any:
        item = parse(value)
        if type(item) is dict:
            try:
                check_tree(item, 0)
            except TooDeep as error:
                raise DepthError(str(error)) from None
            except ValueError as error:
                raise msgspec.ValidationError(str(error)) from None
        return convert(item, struct)

    return decode_open


@overload
def fast_union_decoder(a: type[A], b: type[B], /) -> Callable[[bytes], A | B]: ...
@overload
def fast_union_decoder(a: type[A], b: type[B], c: type[C], d: type[D], /) -> Callable[[bytes], A | B | C | D]: ...
@overload
def fast_union_decoder(
    a: type[A], b: type[B], c: type[C], d: type[D], e: type[E], f: type[F], /
) -> Callable[[bytes], A | B | C | D | E | F]: ...
def fast_union_decoder(*models: type[BaseModel]) -> Callable[[bytes], Any]:
    """Chooses by the field `type`, which every model must have as a single Literal."""
    for model in models:
        if _tag(model) is None or _checks(model):
            raise TypeError(
                f"no union decoder for {model.__name__}: it has no single `type`, or checks that need Python"
            )
    return msgspec.json.Decoder(reduce(or_, [_struct(model) for model in models])).decode


def encode(value: object) -> bytes:
    """JSON of structs, models (same bytes) and plain values. Fields in declaration order, `type` first."""
    return _ENCODER.encode(value)


def _encode_model(value: object) -> object:
    if isinstance(value, BaseModel):
        return msgspec.convert(value.model_dump(by_alias=True), _struct(type(value)))
    raise TypeError(f"cannot encode a {type(value).__name__} as JSON")


_ENCODER: Final = msgspec.json.Encoder(enc_hook=_encode_model)


@cache  # One entry per contract.
def _struct(model: type[BaseModel]) -> type[msgspec.Struct]:
    _refuse_unfaithful(model)
    tag = _tag(model)
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for name, info in model.model_fields.items():
        if tag is not None and name == "type":
            continue
        kind = _field_type(f"{model.__name__}.{name}", info, issubclass(model, OpenContract))
        fields.append((name, kind) if info.is_required() else (name, kind, _default(info)))
    return msgspec.defstruct(
        model.__name__,
        fields,
        module=model.__module__,
        namespace={"__doc__": model.__doc__} | ({"type": tag} if tag is not None else {}),
        rename={name: info.alias for name, info in model.model_fields.items() if info.alias},
        tag_field="type" if tag is not None else None,
        tag=tag,
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=model.model_config.get("extra") == "forbid",
        omit_defaults=getattr(model, "omits_absent", False),
        gc=False,  # Frozen, and made of JSON: a cycle is impossible.
    )


def _checks(model: type[BaseModel]) -> tuple[tuple[str, Callable[[Any], object]], ...]:
    return tuple(
        (name, part.check)
        for name, info in model.model_fields.items()
        for part in _parts(info)
        if isinstance(part, Checked) and not part.only_pydantic
    )


def _parts(info: FieldInfo) -> Iterator[Any]:
    """What is written beside the type of a field, also inside `Annotated[...] | None`."""
    yield from info.metadata
    for annotation in (info.annotation, *get_args(info.annotation)):
        if get_origin(annotation) is Annotated:
            yield from get_args(annotation)[1:]


def _refuse_unfaithful(model: type[BaseModel]) -> None:
    config, decorators = model.model_config, model.__pydantic_decorators__
    validators = (
        decorators.validators,
        decorators.field_validators,
        decorators.root_validators,
        decorators.model_validators.keys() - OPEN_VALIDATORS,
    )
    is_open = config.get("extra") != "forbid" and not issubclass(model, OpenContract)
    changes = ("str_strip_whitespace", "str_to_lower", "str_to_upper")
    faults = {
        "it is not strict": not config.get("strict"),
        "it is open, and no OpenContract": is_open,
        "it allows two names for a field": any(config.get(k) for k in ("populate_by_name", "validate_by_name")),
        "it has validators": any(validators),
        "it changes strings": any(config.get(key) for key in changes),
        "it allows NaN": config.get("allow_inf_nan") is not False,
    }
    for fault, present in faults.items():
        if present:
            raise TypeError(f"no fast decoder for {model.__name__}: {fault}")


def _tag(model: type[BaseModel]) -> str | None:
    info = model.model_fields.get("type")
    if info is None or get_origin(info.annotation) is not Literal:
        return None
    values = get_args(info.annotation)
    single = len(values) == 1 and isinstance(values[0], str) and info.default == values[0]
    return values[0] if single else None


def _default(info: FieldInfo) -> Any:
    if info.default is PydanticUndefined:
        return msgspec.field(default_factory=cast(Callable[[], Any], info.default_factory))
    if isinstance(info.default, BaseModel):
        return msgspec.convert(info.default.model_dump(by_alias=True), _struct(type(info.default)))
    if isinstance(info.default, dict | list) and info.default:
        raise TypeError("no fast decoder: a default that is a filled dict or list")
    return info.default


def _field_type(where: str, info: FieldInfo, is_open: bool) -> Any:
    if "Any" in str(info.annotation) and not is_open and not any(isinstance(part, Checked) for part in _parts(info)):
        raise TypeError(f"no fast decoder for {where}: pydantic takes NaN in Any; use JsonObject or InnerObject")
    if info.validation_alias is not None and info.validation_alias != info.alias:
        raise TypeError(f"no fast decoder for {where}: a validation alias")
    return _constrained(where, _type(where, info.annotation), info.metadata)


def _type(where: str, annotation: Any) -> Any:
    origin, args = get_origin(annotation), get_args(annotation)
    if annotation is Any or annotation in SCALARS:
        return annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if _checks(annotation):
            raise TypeError(f"no fast decoder for {where}: checks that need Python work at the top level only")
        return _struct(annotation)
    if origin is Annotated:
        return _constrained(where, _type(where, args[0]), args[1:])
    if origin in (Union, UnionType):
        return reduce(or_, [_type(where, arg) for arg in args])
    if origin is Literal:
        if not all(type(arg) is str for arg in args):
            raise TypeError(f"no fast decoder for {where}: pydantic takes true for Literal[1]; use a bounded int")
        return annotation
    if origin in (dict, list, tuple):
        return origin[tuple(arg if arg is Ellipsis else _type(where, arg) for arg in args)]
    raise TypeError(f"no fast decoder for {where}: type {annotation!r}")


def _constrained(where: str, kind: Any, metadata: Any) -> Any:
    limits: dict[str, Any] = {}
    for item in metadata:
        if isinstance(item, Checked) and item.derived is not None:
            kind = item.derived
        for part in item.metadata if isinstance(item, FieldInfo) else (item,):
            limits |= _limits(where, part)
    return Annotated[kind, msgspec.Meta(**limits)] if limits else kind


def _limits(where: str, part: Any) -> dict[str, Any]:
    match part:
        case Checked():
            return {}
        case annotated_types.MinLen(value):
            return {"min_length": value}
        case annotated_types.MaxLen(value):
            return {"max_length": value}
        case annotated_types.Ge(value):
            return {"ge": value}
        case annotated_types.Gt(value):
            return {"gt": value}
        case annotated_types.Le(value):
            return {"le": value}
        case annotated_types.Lt(value):
            return {"lt": value}
        case StringConstraints():
            given = {key: value for key, value in vars(part).items() if value is not None}
        case _:
            given = dict(getattr(part, "__dict__", {})) or {"unknown": part}
    pattern = given.pop("pattern", None)
    if set(given) - {"min_length", "max_length"}:
        raise TypeError(f"no fast decoder for {where}: constraint {part!r}")
    return given | ({"pattern": _python_pattern(where, pattern)} if pattern is not None else {})


def _python_pattern(where: str, pattern: str) -> str:
    """For pydantic `$` is the end of the text; for Python it is also before a last newline."""
    if not isinstance(pattern, str) or pattern.count("$") != 1 or not pattern.endswith("$"):
        raise TypeError(f"no fast decoder for {where}: a pattern must end in its only $")
    return pattern[:-1] + r"\Z"
