"""Patches: the objects of one world take over what a newer world holds, and stay the objects that they are."""
from __future__ import annotations

import _abc
import abc
import contextlib
import enum
import functools
import gc
import inspect
import types
import typing
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any

from reloading.world import World

LARGE = 10_000  # a longer list, dict or set is data: it is not searched for functions
LRU_CACHE = type(functools.lru_cache(len))
# What belongs to the object itself, not to its version.
OF_CLASS = {"__dict__", "__weakref__", "__module__", "__slots__", "_abc_impl"}
OF_MODULE = {"__name__", "__loader__", "__spec__", "__package__", "__file__", "__builtins__"}
OF_FUNCTION = ("__defaults__", "__kwdefaults__", "__doc__", "__name__", "__qualname__", "__type_params__",
               "__annotate__" if hasattr(len, "__annotate__") or hasattr(FunctionType, "__annotate__") else "__annotations__")
INSIDE = {  # what a wrapper wraps
    staticmethod: ("__func__",), classmethod: ("__func__",), property: ("fget", "fset", "fdel"), LRU_CACHE: ("__wrapped__",),
    functools.cached_property: ("func",), functools.partial: ("func",), functools.partialmethod: ("func",),
}
ATOMS = {int, float, complex, bool, str, bytes, bytearray, type(None), ModuleType, types.CodeType, types.BuiltinFunctionType}  # lead nowhere
CONTAINERS = (dict, list, set, deque)
TRANSPARENT = (types.SimpleNamespace, functools.cached_property, functools.partialmethod, functools.singledispatchmethod)


class Patch:
    """Moves what `fresh` holds into `home`.

    A function or class that both have stays home's object. `same` maps the id of a fresh object to the one that
    takes its place; whatever refers to the fresh one is translated on the way over.
    """

    def __init__(self, home: World, fresh: World):
        self.home, self.fresh = home, fresh
        self.names = [name for name, module in fresh.modules.items() if home.modules.get(name) is not module]
        self.same: dict[int, Any] = {}
        self.pairs: list[tuple[Any, Any]] = []
        self.replaced: list[tuple[type, type]] = []
        self.claimed: set[int] = set()
        self.later: list[tuple[Any, Any]] = []
        self.todo: list = []
        self.held: list = []  # keeps the objects behind the ids alive

    def apply(self) -> None:
        for name in self.names:
            if name not in self.home.modules:
                self.home.modules[name] = self.home.family.empty(self.fresh.modules[name].__spec__, self.home)
            self.stands_for(self.home.modules[name], self.fresh.modules[name])
        self.globals = {id(vars(self.fresh.modules[name])): vars(self.home.modules[name]) for name in self.names}
        self.ours = {id(vars(self.home.modules[name])) for name in self.names}
        self.pair_all()
        for live, fresh in self.pairs:
            self.update(live, fresh)
        for live, fresh in self.replaced:
            self.replace_class(live, fresh)
        for name in self.names:
            self.update_module(vars(self.home.modules[name]), vars(self.fresh.modules[name]))
        self.finish()
        for name in self.home.modules.keys() - self.fresh.modules.keys():
            del self.home.modules[name]

    def update_module(self, live: dict, fresh: dict) -> None:
        values = {name: self.translate(value) for name, value in fresh.items() if name not in OF_MODULE}
        for name in live.keys() - values.keys() - OF_MODULE:
            del live[name]
        live.update(values)

    def move(self, value: Any) -> Any:
        """The live object's own state, and any other that home is to keep."""
        moved = self.translate(value)
        self.finish()
        return moved

    def finish(self) -> None:
        while self.todo:
            self.fill(self.todo.pop())

    # Which fresh object belongs to which live one

    def pair_all(self) -> None:
        for name in self.names:
            self.pair(vars(self.home.modules[name]), vars(self.fresh.modules[name]))
        for live, fresh in self.later:
            self.claim(live, fresh)

    def pair(self, live: dict, fresh: dict) -> None:
        for name, value in fresh.items():
            if name in live:
                self.pair_objects(live[name], value)

    def pair_objects(self, live: Any, fresh: Any) -> None:
        if live is fresh or id(fresh) in self.same:
            return
        if isinstance(fresh, type) and isinstance(live, type):
            if self.is_own(fresh) and live.__module__ == fresh.__module__:
                self.pair_classes(live, fresh)
        elif isinstance(live, FunctionType) and callable(fresh) and not isinstance(fresh, staticmethod):
            named_alike = getattr(fresh, "__qualname__", None) == live.__qualname__
            self.claim(live, fresh) if named_alike else self.later.append((live, fresh))
        elif type(fresh) in INSIDE or type(live) in INSIDE:
            for ours, theirs in zip(self.inside(live), self.inside(fresh)):
                self.pair_objects(ours, theirs)
            if type(fresh) is LRU_CACHE is type(live) and self.calls_alike(live, fresh):
                self.remember(live, fresh)
        elif type(live) is type(fresh) and isinstance(fresh, (dict, list, tuple)) and len(fresh) <= LARGE:
            self.pair(live, fresh) if isinstance(fresh, dict) else [self.pair_objects(*both) for both in zip(live, fresh)]

    def inside(self, value: Any) -> Sequence:
        return [getattr(value, name) for name in INSIDE[type(value)]] if type(value) in INSIDE else [value]

    def calls_alike(self, live: Any, fresh: Any) -> bool:
        """Whether a cache can serve for another one: what it calls can't be exchanged, nor its size."""
        return live.cache_parameters() == fresh.cache_parameters() and self.same.get(id(fresh.__wrapped__)) is live.__wrapped__

    def claim(self, live: FunctionType, fresh: Any) -> None:
        """Let a live function stand for a fresh one, or call what has taken its name; once, and only if it is the learner's own."""
        if id(live) in self.claimed or id(fresh) in self.same:
            return
        same_code = getattr(fresh, "__code__", None) is live.__code__  # a wrapper that a library's decorator made
        if not (same_code or id(live.__globals__) in self.ours):
            return
        if not (same_code or isinstance(fresh, FunctionType) and self.globals.get(id(fresh.__globals__)) is live.__globals__):
            self.claimed.add(id(live))
            self.pairs.append((live, fresh))  # the name is bound to another kind of object now
            return
        self.remember(live, fresh)
        if live.__code__.co_freevars == fresh.__code__.co_freevars:
            for ours, theirs in zip(live.__closure__ or (), fresh.__closure__ or ()):
                self.same.setdefault(id(theirs), ours)
                with contextlib.suppress(ValueError):  # a variable that has no value yet
                    self.pair_objects(ours.cell_contents, theirs.cell_contents)

    def pair_classes(self, live: type, fresh: type) -> None:
        if id(live) in self.claimed:
            return
        self.claimed.add(id(live))
        if self.fits(live, fresh):
            self.remember(live, fresh)
            if isinstance(fresh, enum.EnumMeta):
                self.pair_members(live, fresh)
        else:
            self.replaced.append((live, fresh))
        self.pair(vars(live), vars(fresh))

    def pair_members(self, live: enum.EnumMeta, fresh: enum.EnumMeta) -> None:
        plain = fresh._member_type_ is object
        for name, member in fresh._member_map_.items():
            ours = live._member_map_.get(name)
            if ours is not None and (plain or fresh._member_type_(ours) == fresh._member_type_(member)):
                self.remember(ours, member)

    def remember(self, live: Any, fresh: Any) -> None:
        self.claimed.add(id(live))
        self.stands_for(live, fresh)
        self.pairs.append((live, fresh))

    def stands_for(self, live: Any, fresh: Any) -> Any:
        self.same[id(fresh)] = live
        self.held.append(fresh)
        return live

    def is_own(self, cls: type) -> bool:
        return getattr(cls, "__module__", None) in self.names

    def fits(self, live: type, fresh: type) -> bool:
        """Whether a class can become another in place: same metaclass, same layout, bases that Python lets change."""
        if self.same.get(id(type(fresh)), type(fresh)) is not type(live) or vars(live).get("__slots__") != vars(fresh).get("__slots__"):
            return False
        if isinstance(fresh, enum.EnumMeta) and live._member_type_ is not fresh._member_type_:
            return False
        return self.set_bases(live, fresh)

    def set_bases(self, live: type, fresh: type) -> bool:
        bases = tuple(self.same.get(id(base), base) for base in fresh.__bases__)
        try:
            if live.__bases__ != bases:
                live.__bases__ = bases
        except TypeError:  # Python refuses, for instance, where a class had no base but object
            return False
        return True

    # Moving contents over

    def update(self, live: Any, fresh: Any) -> None:
        if type(live) is FunctionType:
            self.update_function(live, fresh)
        elif isinstance(fresh, type):
            self.update_class(live, fresh)
        elif type(live) is LRU_CACHE:
            self.update_cache(live, fresh)
        else:
            self.replace_attributes(live, fresh)

    def update_function(self, live: FunctionType, fresh: Any) -> None:
        if self.same.get(id(fresh)) is not live:  # it was not claimed for this one: the name is bound to something else now
            forward(live, self.translate(fresh))
            return
        if live.__code__.co_freevars != fresh.__code__.co_freevars:
            forward(live, self.move_function(fresh))
            return
        live.__code__ = fresh.__code__
        self.copy_function(live, fresh)
        for ours, theirs in zip(live.__closure__ or (), fresh.__closure__ or ()):
            self.fill_cell(ours, theirs)

    def copy_function(self, live: FunctionType, fresh: FunctionType) -> None:
        for name in OF_FUNCTION:
            if hasattr(fresh, name):
                setattr(live, name, self.translate(getattr(fresh, name)))
        self.replace_attributes(live, fresh)

    def fill_cell(self, live: CellType, fresh: CellType) -> None:
        with contextlib.suppress(ValueError):  # a variable that has no value yet
            live.cell_contents = self.translate(fresh.cell_contents)

    def move_function(self, fresh: FunctionType) -> FunctionType:
        """A new function, with home's globals in place of those it was made with."""
        closure = tuple(self.same.get(id(cell), cell) for cell in fresh.__closure__ or ())
        live = FunctionType(fresh.__code__, self.globals[id(fresh.__globals__)], fresh.__name__, None, closure or None)
        if id(fresh) not in self.same:
            self.stands_for(live, fresh)
        live.__module__ = fresh.__module__
        self.copy_function(live, fresh)
        for cell, theirs in zip(closure, fresh.__closure__ or ()):
            self.fill_cell(cell, theirs)
        return live

    def update_cache(self, live: Any, fresh: Any) -> None:
        """A function with functools.cache around it; it keeps what answers for its own size."""
        live.cache_clear()
        vars(live).update({name: self.translate(value) for name, value in vars(fresh).items() if name != "cache_parameters"})

    def replace_attributes(self, live: Any, fresh: Any) -> None:
        attributes = {name: self.translate(value) for name, value in vars(fresh).items()}
        vars(live).clear()
        vars(live).update(attributes)

    def update_class(self, live: type, fresh: type) -> None:
        for name in vars(live).keys() - vars(fresh).keys() - OF_CLASS:
            type.__delattr__(live, name)
        live.__name__, live.__qualname__ = fresh.__name__, fresh.__qualname__
        for name, value in list(vars(fresh).items()):
            if name not in OF_CLASS and not is_slot(value):
                moved = self.translate(value)
                if vars(live).get(name, self) is not moved:
                    type.__setattr__(live, name, moved)  # a metaclass may have other ideas: an enum refuses
        for base in fresh.__bases__:
            self.translate(base)
        if isinstance(live, abc.ABCMeta) and live is not fresh:
            self.register(live, fresh)

    def register(self, live: abc.ABCMeta, fresh: abc.ABCMeta) -> None:
        registered = [reference() for reference in _abc._get_dump(fresh)[0]]
        _abc._reset_registry(live)
        _abc._reset_caches(live)
        for cls in registered:
            if cls is not None:
                live.register(self.translate(cls))

    def replace_class(self, live: type, fresh: type) -> None:
        """A class that can't become the fresh one in place: its objects do, and so do its methods."""
        self.translate(fresh)
        self.finish()
        self.stands_for(fresh, live)
        for value in [value for value in gc.get_referrers(live) if type(value) is live]:
            with contextlib.suppress(TypeError):  # another layout: it stays what it is, with the new methods
                object.__setattr__(value, "__class__", fresh)
        for name, value in vars(fresh).items():
            if isinstance(value, (FunctionType, *INSIDE)):
                type.__setattr__(live, name, value)

    # Translating

    def translate(self, value: Any) -> Any:
        """The value as home sees it: itself, unless it leads to an object that another one stands for."""
        if id(value) in self.same:
            return self.same[id(value)]
        kind = type(value)
        if kind is FunctionType and id(value.__globals__) in self.globals:
            return self.move_function(value)
        rebuild = REBUILD.get(kind)
        if rebuild and not (kind in (tuple, frozenset) and len(value) > LARGE):
            self.stands_for(value, value)  # until it is known: it may contain itself
            return self.stands_for(rebuild(self, value), value)
        if kind not in ATOMS:
            self.stands_for(value, value)
            self.todo.append(value)
        return value

    def fill(self, value: Any) -> None:
        """Translate what an object holds, in place."""
        kind = type(value)
        if isinstance(value, type):
            if self.is_own(value):
                self.set_bases(value, value)
                self.update_class(value, value)
        elif kind is FunctionType:
            self.fill_library_function(value)
        elif self.is_own(kind):
            with contextlib.suppress(TypeError):
                object.__setattr__(value, "__class__", self.translate(kind))
            self.fill_items(value)
            self.fill_attributes(value, self.translate)
        elif isinstance(value, CONTAINERS):
            self.fill_items(value)
        elif getattr(kind, "__dictoffset__", 0):  # a library's object: what it refers to itself may be the learner's
            self.fill_attributes(value, self.translate if kind in TRANSPARENT else self.translate_own)

    def fill_library_function(self, value: FunctionType) -> None:
        """What a library's decorator made: it refers to the learner's function, or, as singledispatch, to a table of them."""
        for cell in value.__closure__ or ():
            with contextlib.suppress(ValueError):
                if isinstance(cell.cell_contents, dict):
                    self.fill_dict(cell.cell_contents, self.translate_own)
                cell.cell_contents = self.translate_own(cell.cell_contents)
        self.fill_dict(vars(value), self.translate_own)

    def translate_own(self, value: Any) -> Any:
        own = isinstance(value, FunctionType) and id(value.__globals__) in self.globals or self.is_own(type(value)) or id(value) in self.same
        return self.translate(value) if own else value

    def fill_items(self, value: Any) -> None:
        if not isinstance(value, CONTAINERS) or len(value) > LARGE:
            return
        if isinstance(value, dict):
            self.fill_dict(value)
        elif isinstance(value, set):
            moved = [self.translate(item) for item in value]
            set.clear(value)
            set.update(value, moved)
        else:
            base = list if isinstance(value, list) else deque
            for index, item in enumerate(value):
                if (moved := self.translate(item)) is not item:
                    base.__setitem__(value, index, moved)

    def fill_dict(self, value: dict, translate: Callable[[Any], Any] | None = None) -> None:
        translate = translate or self.translate
        items = list(value.items())
        moved = [(translate(key), translate(item)) for key, item in items]
        if any(key is not ours or item is not theirs for (key, item), (ours, theirs) in zip(moved, items)):
            base = OrderedDict if isinstance(value, OrderedDict) else dict
            base.clear(value)
            for key, item in moved:
                base.__setitem__(value, key, item)

    def fill_attributes(self, value: Any, translate: Callable[[Any], Any]) -> None:
        with contextlib.suppress(AttributeError):
            self.fill_dict(object.__getattribute__(value, "__dict__"), translate)
        for name, slot in [item for cls in type(value).__mro__ for item in vars(cls).items() if is_slot(item[1])]:
            with contextlib.suppress(AttributeError, TypeError):
                if (moved := translate(item := slot.__get__(value))) is not item:
                    slot.__set__(value, moved)


def rebuilt(make: Callable[..., Any], *parts: str) -> Callable[[Patch, Any], Any]:
    """A rule for REBUILD: make the value again of its translated parts, if one of them changes."""
    def rebuild(patch: Patch, value: Any) -> Any:
        before = [getattr(value, part) for part in parts]
        after = [patch.translate(part) for part in before]
        return make(*after) if any(one is not other for one, other in zip(before, after)) else value
    return rebuild


def rebuilt_items(patch: Patch, value: Any) -> Any:
    moved = [patch.translate(item) for item in value]
    return type(value)(moved) if any(one is not other for one, other in zip(moved, value)) else value


def rebuilt_cache(patch: Patch, value: Any) -> Any:
    moved = functools.lru_cache(**value.cache_parameters())(patch.translate(value.__wrapped__))
    patch.stands_for(moved, value)
    patch.update_cache(moved, value)
    return moved


REBUILD = {
    tuple: rebuilt_items, frozenset: rebuilt_items, LRU_CACHE: rebuilt_cache,
    staticmethod: rebuilt(staticmethod, "__func__"), classmethod: rebuilt(classmethod, "__func__"),
    property: rebuilt(property, "fget", "fset", "fdel", "__doc__"),
    MethodType: rebuilt(MethodType, "__func__", "__self__"),
    functools.partial: rebuilt(lambda func, args, keywords: functools.partial(func, *args, **keywords), "func", "args", "keywords"),
    types.MappingProxyType: lambda patch, value: types.MappingProxyType({key: patch.translate(item) for key, item in value.items()}),
    types.GenericAlias: rebuilt(types.GenericAlias, "__origin__", "__args__"),
    types.UnionType: rebuilt(lambda args: functools.reduce(lambda one, other: one | other, args), "__args__"),
    type(typing.List[int]): rebuilt(lambda origin, args: origin[args], "__origin__", "__args__"),
    type(typing.Optional[int]): rebuilt(lambda args: typing.Union[args], "__args__"),
}


def is_slot(value: Any) -> bool:
    return isinstance(value, types.MemberDescriptorType)


# Functions that pass a call on, by the kind of function that they stand in for. Only their code is used.

def _plain(*args, **kwargs):
    target = "target"
    return target(*args, **kwargs)


def _generator(*args, **kwargs):
    target = "target"
    return (yield from target(*args, **kwargs))


async def _coroutine(*args, **kwargs):
    target = "target"
    return await target(*args, **kwargs)


async def _asynchronous_generator(*args, **kwargs):
    target = "target"
    async for item in target(*args, **kwargs):
        yield item


FORWARD = {inspect.isasyncgenfunction: _asynchronous_generator, inspect.iscoroutinefunction: _coroutine,
           inspect.isgeneratorfunction: _generator, callable: _plain}


def forward(live: FunctionType, target: Callable) -> None:
    """Let a function call another one: for where its code can't be exchanged, since it closes over other variables."""
    code = next(function for is_kind, function in FORWARD.items() if is_kind(target)).__code__
    consts = tuple(target if const == "target" else const for const in code.co_consts)
    live.__code__ = code.replace(co_consts=consts, co_freevars=live.__code__.co_freevars, co_filename="<reloader>")
    live.__defaults__ = live.__kwdefaults__ = None
    live.__doc__ = getattr(target, "__doc__", None)
    vars(live).clear()
    vars(live)["__wrapped__"] = target  # for inspect
