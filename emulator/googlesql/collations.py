"""Collation: STRINGs whose case does not count. What is compared is folded first; und:ci is the one collation besides the binary one.

The analyzer says which values have one in two forms, both of the shape of the value's type: a ResolvedCollationProto at what
compares, an AnnotationMapProto at an expression or a column.
"""
from __future__ import annotations

from .. import values
from . import types

FOLDED = "lower(nfc_normalize(%s))"


def name_of(collation) -> str:
    if hasattr(collation, "collation_name"):
        return collation.collation_name
    return next((found.value.string_value for found in collation.annotations if found.id == types.COLLATION), "")


def parts_of(collation) -> list:
    """The collations inside of a struct or an array."""
    if hasattr(collation, "child_list"):
        return list(collation.child_list)
    return list(collation.struct_fields) or ([collation.array_element] if collation.HasField("array_element") else [])


def collated(collations) -> bool:
    """Whether one of the collations, or a part of one, is one that heeds no case."""
    return any(name_of(collation) or collated(parts_of(collation)) for collation in collations)


def folded(arg: str, proto, collation, depth: int = 0) -> str:
    """SQL of a value of a type, in the form in which it is compared; the elements of an array by the array's own collation."""
    if not collated([collation]):
        return arg
    kind, parts = types.kind_name(proto), parts_of(collation)
    if kind == "ARRAY":
        e = f"e{depth}"
        return f"list_transform({arg}, lambda {e}: {folded(e, proto.array_type.element_type, parts[0] if parts else collation, depth + 1)})"
    if kind == "RECORD" and parts:
        fields = zip(types.struct_names(proto), proto.struct_type.field, parts)
        inner = ", ".join(f"{values.identifier(name)} := {folded(f'struct_extract({arg}, {values.string(name)})', part.field_type, of, depth)}"
                          for name, part, of in fields)
        return f"CASE WHEN {arg} IS NOT NULL THEN struct_pack({inner}) END"
    return FOLDED % arg if kind == "STRING" else arg
