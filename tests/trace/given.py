"""Hypothesis strategies for records of every kind, made from the annotations of their classes."""

import dataclasses
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from ipctui.trace import records

KINDS: tuple[type[Any], ...] = (
    records.Header,
    records.Process,
    records.Call,
    records.Access,
    records.State,
    records.Settings,
    records.Descriptors,
    records.Channel,
    records.Event,
    records.Command,
    records.Counters,
    records.Lost,
    records.Checkpoint,
    records.Summary,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
"""Whatever JSON can say (a NaN is equal to nothing, so it is left out)."""


def of_hint(hint: Any) -> st.SearchStrategy[Any]:
    """Values that fit an annotation of a record."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return st.one_of([st.none() if arg is type(None) else of_hint(arg) for arg in args])
    if origin is tuple and args[-1] is Ellipsis:
        return st.lists(of_hint(args[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(of_hint, args))
    if origin is dict:
        return st.dictionaries(st.text(max_size=8), JSON if args[1] is Any else of_hint(args[1]), max_size=3)
    if dataclasses.is_dataclass(hint):
        return of_class(hint)  # type: ignore[arg-type]
    simple: dict[Any, st.SearchStrategy[Any]] = {
        int: st.integers(-(1 << 63), 1 << 63),
        float: st.floats(-(2.0**63), 2.0**63),
        bool: st.booleans(),
        str: st.text(max_size=12),
    }
    return simple[hint]


def of_class(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Instances of a record class; a field that has a default holds it now and then."""
    hints = get_type_hints(kind)
    required = {}
    optional = {}
    for item in dataclasses.fields(kind):
        free = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        (required if free else optional)[item.name] = of_hint(hints[item.name])
    return st.fixed_dictionaries(required, optional=optional).map(lambda values: kind(**values))


ANY_RECORD = st.one_of([of_class(kind) for kind in KINDS])
