"""Annotated attributes as constructor arguments, which a container fills."""

from dataclasses import dataclass, field
from typing import Any, dataclass_transform


@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(field,))
class Injected:
    """Base class of handlers and behaviours. A hand-written `__init__`, inherited or not, is not replaced."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__init__ is not object.__init__ and not hasattr(cls.__init__, "is_generated"):
            return
        documentation = cls.__doc__
        dataclass(repr=False, eq=False, kw_only=True, match_args=False)(cls)
        cls.__doc__ = documentation
        cls.__init__.is_generated = True  # type: ignore[attr-defined]  # subclasses check it
