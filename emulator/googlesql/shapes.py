"""Points, great-circle lines and polygons on the sphere, by S2, and the WKT by which GEOGRAPHY values are held.

The numbers of that WKT tell a double exactly; ST_ASTEXT shortens them to fifteen digits, as BigQuery prints them.
"""
from __future__ import annotations

import math
import re
from functools import cached_property, lru_cache

import s2rst as s2

from ..errors import ApiError

RADIUS = 6371010.0  # metres, as S2 has it


def failed(message: str) -> ApiError:
    return ApiError("invalidQuery", message, "query")


# Shapes -------------------------------------------------------------------------------------------

class Shape:
    """Points, lines and polygons, each of S2Points. A polygon is a list of rings, the shell first, none closed by a repeated point."""

    def __init__(self, points=(), lines=(), polygons=()):
        self.points, self.lines, self.polygons = list(points), list(lines), list(polygons)

    @cached_property
    def polygon(self) -> s2.Polygon:
        loops = [s2.Loop(ring) for rings in self.polygons for ring in rings]
        return s2.Polygon.from_oriented_loops(loops)

    @cached_property
    def polylines(self) -> list:
        return [s2.Polyline(line) for line in self.lines]

    @cached_property
    def index(self) -> s2.ShapeIndex:
        index = s2.ShapeIndex()
        if self.points:
            index.add(s2.PointVector(self.points))
        for line in self.polylines:
            index.add(line)
        if self.polygons:
            index.add(self.polygon)
        index.build()
        return index

    @property
    def elements(self) -> list["Shape"]:
        return ([Shape([p]) for p in self.points] + [Shape((), [line]) for line in self.lines]
                + [Shape((), (), [rings]) for rings in self.polygons])

    @property
    def dimension(self) -> int:
        return 2 if self.polygons else 1 if self.lines else 0 if self.points else -1

    @property
    def vertices(self) -> list:
        """Every vertex, a ring's first one once more at its end."""
        return self.points + [p for line in self.lines for p in line] + [p for rings in self.polygons for ring in rings for p in ring + ring[:1]]

    @property
    def edges(self) -> list[list]:
        chains = self.lines + [ring + ring[:1] for rings in self.polygons for ring in rings]
        return [list(pair) for chain in chains for pair in zip(chain, chain[1:])]

    @property
    def type(self) -> str:
        kinds = [(name, items) for name, items in (("Point", self.points), ("LineString", self.lines), ("Polygon", self.polygons)) if items]
        if len(kinds) != 1:
            return "GeometryCollection"
        return ("Multi" if len(kinds[0][1]) > 1 else "") + kinds[0][0]

    def the_point(self, function: str):
        if self.dimension == 0 and len(self.points) == 1:
            return self.points[0]
        raise failed(f"{function}: the input must be a single point")

    def the_line(self, function: str) -> list:
        if self.type == "LineString":
            return self.lines[0]
        raise failed(f"{function}: the input must be a single linestring")


def point_at(lng: float, lat: float) -> s2.S2Point:
    if not -90 <= lat <= 90:
        raise failed(f"Latitude must be between -90 and 90 degrees. Was: {lat:.15g}")
    if not math.isfinite(lng):
        raise failed(f"Longitude must be a finite number. Was: {lng}")
    return s2.LatLng.from_degrees(lat, lng).normalized().to_point()


def degrees(point) -> tuple[float, float]:
    """Longitude and latitude; in fifteen digits where they tell the point exactly, as they do what was read."""
    found = s2.LatLng.from_point(point)
    lng, lat = found.lng.degrees, found.lat.degrees
    short = float(f"{lng:.15g}"), float(f"{lat:.15g}")
    return short if xyz(s2.LatLng.from_degrees(short[1], short[0]).normalized().to_point()) == xyz(point) else (lng, lat)


def xyz(point) -> tuple[float, float, float]:
    return point.x, point.y, point.z


def turned(ring: list, oriented: bool, hole: bool) -> list:
    """A ring with its polygon to the left; unless it is oriented, a polygon is the smaller of the two sides."""
    if oriented or s2.Loop(ring).is_normalized() != hole:
        return ring
    return ring[::-1]


def polygon_of(rings: list[list], oriented: bool = False) -> list[list]:
    """A polygon of closed rings as they are read."""
    opened = []
    for ring in rings:
        if len(ring) < 4 or xyz(ring[0]) != xyz(ring[-1]):
            raise failed("Invalid polygon loop: a loop must have at least three different vertices, and its last must be its first")
        opened.append(ring[:-1])
    made = [turned(ring, oriented, i > 0) for i, ring in enumerate(opened)]
    for ring in made:
        wrong = wrong_with(ring)
        if wrong:
            raise failed(f"Invalid polygon loop: {wrong}")
    return made


def wrong_with(ring: list) -> str | None:
    """Why a ring is no loop: a vertex that stands twice, edges that cross."""
    loop = s2.Loop(ring)
    wrong = loop.validate()
    if wrong:
        return wrong
    index = s2.ShapeIndex()
    index.add(loop)
    index.build()
    return s2.find_self_intersection(index)


def combined(shapes) -> Shape:
    """All elements together, not merged."""
    shapes = list(shapes)
    return Shape(*([item for shape in shapes for item in getattr(shape, part)] for part in ("points", "lines", "polygons")))


def polygons_of(polygon: s2.Polygon) -> list[list]:
    """An S2 polygon's shells with their holes."""
    result = {}
    for k, loop in enumerate(polygon.loops()):
        ring = list(loop.vertices())
        if not ring or loop.is_empty_or_full():
            continue
        if loop.is_hole():
            result[polygon.parent(k)].append(ring[::-1])
        else:
            result[k] = [ring]
    return list(result.values())


# Text ---------------------------------------------------------------------------------------------

TOKEN = re.compile(r"\s*([A-Za-z]+|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[(),])")


def exact(number: float) -> str:
    text = repr(number + 0.0)
    return "0" if text in ("-0.0", "0.0") else text.removesuffix(".0")


def text_of(shape: Shape) -> str:
    """The WKT by which a value is held."""
    def place(p) -> str:
        return " ".join(map(exact, degrees(p)))

    def chain(items) -> str:
        return "(" + ", ".join(map(place, items)) + ")"

    def rings(polygon) -> str:
        return "(" + ", ".join(chain(ring + ring[:1]) for ring in polygon) + ")"

    parts = []
    for name, items, write in (("POINT", shape.points, place), ("LINESTRING", shape.lines, chain), ("POLYGON", shape.polygons, rings)):
        if len(items) == 1:
            body = write(items[0])
            parts.append(f"{name}{body if body[0] == '(' else f'({body})'}")
        elif items:
            parts.append(f"MULTI{name}({', '.join(map(write, items))})")
    if not parts:
        return "GEOMETRYCOLLECTION EMPTY"
    return parts[0] if len(parts) == 1 else f"GEOMETRYCOLLECTION({', '.join(parts)})"


class Reader:
    """WKT, read from left to right."""

    def __init__(self, text: str, oriented: bool):
        self.tokens, at = [], 0
        while at < len(text.rstrip()):
            found = TOKEN.match(text, at)
            if not found:
                raise failed(f"ST_GeogFromText failed: Invalid WKT: unexpected character {text[at:].lstrip()[:1]!r}")
            self.tokens.append(found[1])
            at = found.end()
        self.at, self.oriented = 0, oriented

    def take(self, *expected: str) -> str:
        token = self.tokens[self.at] if self.at < len(self.tokens) else ""
        if not token or expected and token.upper() not in expected:
            raise failed(f"ST_GeogFromText failed: Invalid WKT: expected {' or '.join(expected) or 'a number'}, found {token or 'the end'!r}")
        self.at += 1
        return token.upper()

    def many(self, read) -> list:
        """( item, item, ... ), or EMPTY."""
        if self.take("(", "EMPTY") == "EMPTY":
            return []
        items = [read()]
        while self.take(",", ")") == ",":
            items.append(read())
        return items

    def place(self):
        """A point; its longitude and latitude may stand in brackets inside a MULTIPOINT."""
        bracket = self.tokens[self.at:self.at + 1] == ["("]
        if bracket:
            self.take("(")
        try:
            lng, lat = float(self.take()), float(self.take())
        except ValueError:
            raise failed("ST_GeogFromText failed: Invalid WKT: expected a number") from None
        if bracket:
            self.take(")")
        return point_at(lng, lat)

    def line(self) -> list:
        return self.many(self.place)

    def polygon(self) -> list:
        rings = self.many(self.line)
        return polygon_of(rings, self.oriented) if rings else []

    def shape(self) -> Shape:
        kind = self.take("POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON", "GEOMETRYCOLLECTION")
        if kind == "GEOMETRYCOLLECTION":
            return combined(self.many(self.shape))
        if kind in ("POINT", "MULTIPOINT"):
            return Shape(self.many(self.place))
        if kind in ("LINESTRING", "MULTILINESTRING"):
            return lines_of([self.line()] if kind == "LINESTRING" else self.many(self.line))
        made = [self.polygon()] if kind == "POLYGON" else self.many(self.polygon)
        return Shape((), (), [rings for rings in made if rings])

    def whole(self) -> Shape:
        shape = self.shape()
        if self.at < len(self.tokens):
            raise failed(f"ST_GeogFromText failed: Invalid WKT: unexpected {self.tokens[self.at]!r} at the end")
        return shape


def lines_of(lines: list[list]) -> Shape:
    """Lines; one of a single place is a point."""
    shape = Shape()
    for line in lines:
        kept = [p for i, p in enumerate(line) if i == 0 or xyz(p) != xyz(line[i - 1])]
        if len(kept) > 1:
            shape.lines.append(kept)
        else:
            shape.points.extend(kept)
    return shape


@lru_cache(4096)
def shape(text: str) -> Shape:
    """A held value; its rings are oriented."""
    return Reader(text, True).whole()
