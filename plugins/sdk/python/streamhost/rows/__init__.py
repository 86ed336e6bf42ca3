"""Dataclasses as rows: fields are columns."""

from .fields import Float32, Int8, Int16, Int32, rename
from .shape import Shape, is_row, shape

__all__ = ["Float32", "Int8", "Int16", "Int32", "Shape", "is_row", "rename", "shape"]
