"""GEOGRAPHY: points, great-circle lines and polygons on the sphere, by S2, the geometry that BigQuery has.

A value is held as WKT whose numbers tell a double exactly; ST_ASTEXT shortens them to fifteen digits, as
BigQuery prints them. This module is imported when a statement first calls one of its functions.
"""
from __future__ import annotations

import json
import math
import re
import struct
from functools import cached_property, lru_cache

import s2rst as s2

from ..errors import ApiError
from .python_functions import takes_nulls

RADIUS = 6371010.0  # metres, as S2 has it
TESSELLATION = 10 / RADIUS  # how far a straight line of GeoJSON may be from a geodesic


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
NUMBER = re.compile(r"-?\d[\d.]*(?:e[-+]?\d+)?")


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


def st_geogfromtext(text, oriented=False, planar=False, make_valid=False) -> str:
    made = Reader(text, bool(oriented)).whole()
    if planar:
        made = straightened(made)
    return text_of(valid(made) if make_valid else made)


def valid(made: Shape) -> Shape:
    """Polygons that overlap, merged."""
    return union([made]) if len(made.polygons) > 1 else made


def st_astext(text: str) -> str:
    return NUMBER.sub(lambda found: found[0] if len(found[0]) < 16 else f"{float(found[0]):.15g}", text)


def st_geogpoint(lng: float, lat: float) -> str:
    point_at(lng, lat)
    if not -180 <= lng <= 180:
        lng = math.remainder(lng, 360)
    return f"POINT({exact(lng)} {exact(lat)})"


# GeoJSON ------------------------------------------------------------------------------------------

def tessellator() -> tuple:
    projection = s2.PlateCarreeProjection(180)
    return projection, s2.EdgeTessellator(projection, s2.Angle.from_radians(TESSELLATION))


def straightened(made: Shape) -> Shape:
    """A shape whose edges are straight on a map with longitude and latitude for axes."""
    projection, edges = tessellator()

    def chain(points: list) -> list:
        result = points[:1]
        for a, b in zip(points, points[1:]):
            start = projection.project(a)
            result += edges.append_unprojected(start, projection.wrap_destination(start, projection.project(b)))[1:-1] + [b]
        return result

    return Shape(made.points, map(chain, made.lines), [[chain(ring + ring[:1])[:-1] for ring in rings] for rings in made.polygons])


def st_asgeojson(text: str, digits: int = 15) -> str:
    made = shape(text)
    projection, edges = tessellator()

    def pair(x: float, y: float) -> str:
        return f"[{x + 0.0:.{digits}g}, {y + 0.0:.{digits}g}]"

    def chain(points: list) -> str:
        places = [pair(*degrees(points[0]))]
        for a, b in zip(points, points[1:]):
            between = edges.append_projected(a, b)[1:-1]
            places += [pair(p.x, p.y) for p in between] + [pair(*degrees(b))]
        return f"[ {', '.join(places)} ]"

    def rings(polygon: list) -> str:
        return f"[ {', '.join(chain(ring + ring[:1]) for ring in polygon)} ]"

    writers = {"Point": (made.points, lambda p: pair(*degrees(p))), "LineString": (made.lines, chain), "Polygon": (made.polygons, rings)}
    name = made.type.removeprefix("Multi")
    if name == "GeometryCollection":
        parts = ", ".join(st_asgeojson(text_of(part), digits).strip() for part in parts_by_dimension(made))
        return f'{{ "type": "GeometryCollection", "geometries": [{parts}] }} '
    items, write = writers[name]
    body = write(items[0]) if name == made.type else f"[ {', '.join(map(write, items))} ]"
    return f'{{ "type": "{made.type}", "coordinates": {body} }} '


def parts_by_dimension(made: Shape) -> list[Shape]:
    return [part for part in (Shape(made.points), Shape((), made.lines), Shape((), (), made.polygons)) if part.dimension >= 0]


def st_geogfromgeojson(text: str, make_valid=False) -> str:
    try:
        made = from_geojson(json.loads(text))
    except (ValueError, KeyError, TypeError, IndexError):
        raise failed("ST_GeogFromGeoJSON failed: Invalid GeoJSON") from None
    made = straightened(made)
    return text_of(valid(made) if make_valid else made)


def from_geojson(value: dict) -> Shape:
    kind = value["type"]
    if kind == "GeometryCollection":
        return combined(map(from_geojson, value["geometries"]))
    if kind == "Feature":
        raise failed("ST_GeogFromGeoJSON failed: Feature is not supported, only a geometry is")

    def line(places: list) -> list:
        return [point_at(*place[:2]) for place in places]

    items = value["coordinates"] if kind.startswith("Multi") else [value["coordinates"]]
    name = kind.removeprefix("Multi")
    if name == "Point":
        return Shape([point_at(*place[:2]) for place in items if place])
    if name == "LineString":
        return lines_of([line(item) for item in items])
    if name == "Polygon":
        return Shape((), (), [polygon_of([line(ring) for ring in item]) for item in items if item])
    raise KeyError(kind)


# WKB, geohash -------------------------------------------------------------------------------------

def st_asbinary(text: str) -> bytes:
    made = shape(text)

    def chain(points: list) -> bytes:
        return struct.pack("<I", len(points)) + b"".join(struct.pack("<dd", *degrees(p)) for p in points)

    def rings(polygon: list) -> bytes:
        return struct.pack("<I", len(polygon)) + b"".join(chain(ring + ring[:1]) for ring in polygon)

    parts = []
    for code, items, write in ((1, made.points, lambda p: chain([p])[4:]), (2, made.lines, chain), (3, made.polygons, rings)):
        single = [struct.pack("<BI", 1, code) + write(item) for item in items]
        if len(single) == 1:
            parts.append(single[0])
        elif single:
            parts.append(struct.pack("<BII", 1, code + 3, len(single)) + b"".join(single))
    return parts[0] if len(parts) == 1 else struct.pack("<BII", 1, 7, len(parts)) + b"".join(parts)


def st_geogfromwkb(data, oriented=False, planar=False, make_valid=False) -> str:
    try:
        made, _ = from_wkb(bytes.fromhex(data) if isinstance(data, str) else bytes(data), 0, bool(oriented))
    except (struct.error, ValueError, KeyError):
        raise failed("ST_GeogFromWKB failed: Invalid WKB") from None
    made = straightened(made) if planar else made
    return text_of(valid(made) if make_valid else made)


def from_wkb(data: bytes, at: int, oriented: bool) -> tuple[Shape, int]:
    """The shape that begins at a place in the data, and where it ends."""
    order = "<" if data[at] == 1 else ">"

    def number(form: str):
        nonlocal at
        value = struct.unpack_from(order + form, data, at)
        at += struct.calcsize(order + form)
        return value if len(value) > 1 else value[0]

    def line() -> list:
        return [point_at(*number("dd")) for _ in range(number("I"))]

    at += 1
    kind = number("I") & 0xFF
    if kind == 1:
        lng, lat = number("dd")
        return Shape() if math.isnan(lng) else Shape([point_at(lng, lat)]), at
    if kind == 2:
        return lines_of([line()]), at
    if kind == 3:
        rings = [line() for _ in range(number("I"))]
        return Shape((), (), [polygon_of(rings, oriented)] if rings else []), at
    if kind > 7:
        raise KeyError(kind)
    parts = []
    for _ in range(number("I")):
        part, at = from_wkb(data, at, oriented)
        parts.append(part)
    return combined(parts), at


def st_geogfrom(value, oriented=False, planar=False, make_valid=False) -> str:
    """WKB in bytes or hexadecimal digits, GeoJSON or WKT."""
    if isinstance(value, bytes) or re.fullmatch(r"\s*0[01][0-9A-Fa-f]+\s*", value):
        return st_geogfromwkb(value.strip() if isinstance(value, str) else value, oriented, planar, make_valid)
    return st_geogfromgeojson(value) if value.lstrip().startswith("{") else st_geogfromtext(value, oriented, planar, make_valid)


BASE32 = "0123456789bcdefghjkmnpqrstuvwxyz"


def st_geohash(text: str, length: int = 20) -> str:
    if not 1 <= length <= 20:
        raise failed(f"ST_GeoHash: maxchars must be between 1 and 20, but was {length}")
    lng, lat = degrees(shape(text).the_point("ST_GeoHash"))
    low, high, result = [-180.0, -90.0], [180.0, 90.0], ""
    for character in range(length):
        index = 0
        for bit in range(5):
            axis = (character * 5 + bit) % 2
            middle = (low[axis] + high[axis]) / 2
            above = (lng, lat)[axis] >= middle
            (low if above else high)[axis] = middle
            index = index * 2 + above
        result += BASE32[index]
    return result


def st_geogpointfromgeohash(code: str) -> str:
    low, high = [-180.0, -90.0], [180.0, 90.0]
    for place, character in enumerate(code.lower()):
        if character not in BASE32:
            raise failed(f"ST_GeogPointFromGeoHash failed: Invalid geohash: {code}")
        for bit in range(5):
            axis = (place * 5 + bit) % 2
            above = BASE32.index(character) >> (4 - bit) & 1
            (low if above else high)[axis] = (low[axis] + high[axis]) / 2
    return st_geogpoint((low[0] + high[0]) / 2, (low[1] + high[1]) / 2)


# Accessors ----------------------------------------------------------------------------------------

def st_x(text: str):
    made = shape(text)
    return None if made.dimension < 0 else degrees(made.the_point("ST_X"))[0]


def st_y(text: str):
    made = shape(text)
    return None if made.dimension < 0 else degrees(made.the_point("ST_Y"))[1]


def st_dimension(text: str) -> int:
    return shape(text).dimension


def st_geometrytype(text: str) -> str:
    return "ST_" + shape(text).type


def st_isempty(text: str) -> bool:
    return shape(text).dimension < 0


def st_iscollection(text: str) -> bool:
    return len(shape(text).elements) > 1


def st_numgeometries(text: str) -> int:
    return len(shape(text).elements)


def st_numpoints(text: str) -> int:
    return len(shape(text).vertices)


def st_isclosed(text: str) -> bool:
    made = shape(text)
    return made.dimension >= 0 and not made.polygons and all(xyz(line[0]) == xyz(line[-1]) for line in made.lines)


def st_isring(text: str) -> bool:
    made = shape(text)
    if made.type != "LineString" or xyz(made.lines[0][0]) != xyz(made.lines[0][-1]):
        return False
    ring = made.lines[0][:-1]
    return len(ring) > 2 and not wrong_with(ring)


def nth_point(text: str, n: int, function: str):
    line = shape(text).the_line(function)
    if n == 0 or abs(n) > len(line):
        return None
    return text_of(Shape([line[n - 1 if n > 0 else n]]))


def st_pointn(text: str, n: int):
    return nth_point(text, n, "ST_PointN")


def st_startpoint(text: str):
    return nth_point(text, 1, "ST_StartPoint")


def st_endpoint(text: str):
    return nth_point(text, -1, "ST_EndPoint")


def st_dump(text: str, dimension: int = -1) -> list[str]:
    return [text_of(element) for element in shape(text).elements if dimension in (-1, element.dimension)]


def st_dumppoints(text: str) -> list[str]:
    return [text_of(Shape([p])) for p in shape(text).vertices]


def st_exteriorring(text: str) -> str:
    made = shape(text)
    if made.type != "Polygon":
        raise failed("ST_ExteriorRing: the input must be a single polygon")
    ring = made.polygons[0][0]
    return text_of(Shape((), [ring + ring[:1]]))


def st_interiorrings(text: str) -> list[str]:
    made = shape(text)
    if made.type != "Polygon":
        raise failed("ST_InteriorRings: the input must be a single polygon")
    return [text_of(Shape((), [ring + ring[:1]])) for ring in made.polygons[0][1:]]


# Constructors -------------------------------------------------------------------------------------

def st_makeline(first, second=None) -> str:
    points = []
    for text in first if isinstance(first, list) else (first, second):
        if text is None:
            continue
        made = shape(text)
        if made.polygons or len(made.elements) > 1:
            raise failed("ST_MakeLine: each input must be a single point or linestring")
        points += made.vertices
    return text_of(lines_of([points]))


def ring_of(text: str) -> list:
    line = shape(text).the_line("ST_MakePolygon")
    return line if xyz(line[0]) == xyz(line[-1]) else line + line[:1]


def st_makepolygon(shell: str, holes=()) -> str:
    return text_of(Shape((), (), [polygon_of([ring_of(text) for text in (shell, *holes)])]))


def st_makepolygonoriented(rings: list[str]) -> str:
    loops = [s2.Loop(ring[:-1]) for ring in polygon_rings(rings)]
    return text_of(Shape((), (), polygons_of(s2.Polygon.from_oriented_loops(loops))))


def polygon_rings(texts: list[str]) -> list[list]:
    return [ring_of(text) for text in texts if text is not None]


# Measures -----------------------------------------------------------------------------------------

def st_area(text: str, spheroid=False) -> float:
    refuse_spheroid(spheroid)
    made = shape(text)
    return made.polygon.area() * RADIUS * RADIUS if made.polygons else 0.0


def refuse_spheroid(spheroid) -> None:
    if spheroid:
        raise failed("The use_spheroid parameter is not supported: geographies are on a sphere")


def length_of(edges) -> float:
    return sum((a.distance(b).radians for a, b in edges), 0.0) * RADIUS


def st_length(text: str, spheroid=False) -> float:
    refuse_spheroid(spheroid)
    return length_of(Shape((), shape(text).lines).edges)


def st_perimeter(text: str, spheroid=False) -> float:
    refuse_spheroid(spheroid)
    return length_of(Shape((), (), shape(text).polygons).edges)


def chord(a: Shape, b: Shape):
    """The shortest distance, None where one has no points."""
    if a.dimension < 0 or b.dimension < 0:
        return None
    if a.type == b.type == "Point":
        return a.points[0].chord_angle(b.points[0])
    return s2.ClosestEdgeQuery(a.index).get_distance(b.index)


def metres(angle) -> float | None:
    return None if angle is None else angle.radians * RADIUS


def st_distance(a: str, b: str, spheroid=False):
    refuse_spheroid(spheroid)
    return metres(chord(shape(a), shape(b)))


def st_dwithin(a: str, b: str, distance: float, spheroid=False) -> bool:
    found = st_distance(a, b, spheroid)
    return found is not None and found <= distance


def st_maxdistance(a: str, b: str, spheroid=False):
    refuse_spheroid(spheroid)
    first, second = shape(a), shape(b)
    if first.dimension < 0 or second.dimension < 0:
        return None
    return metres(max((p.chord_angle(q) for p in first.vertices for q in second.vertices), key=lambda angle: angle.length2))


def st_hausdorffdistance(a: str, b: str, directed=False):
    first, second = shape(a), shape(b)
    if first.dimension < 0 or second.dimension < 0:
        return None
    query = s2.HausdorffDistanceQuery()
    return metres(query.get_directed_distance(first.index, second.index) if directed else query.get_distance(first.index, second.index))


def st_hausdorffdwithin(a: str, b: str, distance: float, directed=False) -> bool:
    found = st_hausdorffdistance(a, b, directed)
    return found is not None and found <= distance


def bearing(a, b) -> float:
    """Radians clockwise from north, at a towards b."""
    first, second = s2.LatLng.from_point(a), s2.LatLng.from_point(b)
    lat1, lat2, turn = first.lat.radians, second.lat.radians, second.lng.radians - first.lng.radians
    x = math.sin(turn) * math.cos(lat2)
    y = math.cos(lat1) * math.sin(lat2) - math.sin(lat1) * math.cos(lat2) * math.cos(turn)
    return math.atan2(x, y) % (2 * math.pi)


def st_azimuth(a: str, b: str):
    start, end = (shape(text).the_point("ST_Azimuth") for text in (a, b))
    return None if xyz(start) == xyz(end) else bearing(start, end)


def st_angle(a: str, b: str, c: str):
    first, middle, last = (shape(text).the_point("ST_Angle") for text in (a, b, c))
    if xyz(first) == xyz(middle) or xyz(last) == xyz(middle):
        return None
    return (bearing(middle, last) - bearing(middle, first)) % (2 * math.pi)


def box(made: Shape) -> list[float] | None:
    """West, south, east, north in degrees; east is above 180 where the antimeridian is crossed."""
    if made.dimension < 0:
        return None
    places = [degrees(p) for p in made.vertices]
    south, north = min(y for _, y in places), max(y for _, y in places)
    for a, b in made.edges:  # a great circle goes nearer to a pole than its ends
        rect = s2.Polyline([a, b]).rect_bound()
        low, high = math.degrees(rect.lat.lo), math.degrees(rect.lat.hi)
        south, north = (low if low < south - 1e-13 else south), (high if high > north + 1e-13 else north)
    lng = s2.S1Interval.empty()
    for part in [s2.S1Interval.from_point(math.radians(x)) for x, _ in places] + [s2.Polyline([a, b]).rect_bound().lng for a, b in made.edges]:
        lng = lng.union(part)
    west, east = math.degrees(lng.lo), math.degrees(lng.hi)
    nearest = sorted({x for x, _ in places})
    west, east = (min(nearest, key=lambda x: abs(x - side)) if any(abs(x - side) < 1e-12 for x in nearest) else side for side in (west, east))
    return [west, south, east if east >= west else east + 360, north]


def st_boundingbox(text: str):
    return box(shape(text))


def st_extent(texts: list):
    return box(combined(shape(text) for text in texts if text is not None))


# Predicates ---------------------------------------------------------------------------------------

CLOSED = {"polygon_model": s2.PolygonModel.CLOSED, "polyline_model": s2.PolylineModel.CLOSED}
OPEN = {"polygon_model": s2.PolygonModel.OPEN, "polyline_model": s2.PolylineModel.OPEN}


def crosses(a: Shape, b: Shape, model: dict) -> bool:
    return a.dimension >= 0 and b.dimension >= 0 and s2.intersects(a.index, b.index, **model)


def within(a: Shape, b: Shape) -> bool:
    """Whether no point of b is outside a."""
    return a.dimension >= 0 and b.dimension >= 0 and s2.contains(a.index, b.index, **CLOSED)


def distinct(a: Shape, b: Shape) -> tuple[Shape, Shape]:
    return (a, Shape(b.points, b.lines, b.polygons)) if a is b else (a, b)  # S2 wants two indexes


def pair(a: str, b: str) -> tuple[Shape, Shape]:
    return distinct(shape(a), shape(b))


def st_intersects(a: str, b: str) -> bool:
    return crosses(*pair(a, b), CLOSED)


def st_disjoint(a: str, b: str) -> bool:
    return not st_intersects(a, b)


def st_covers(a: str, b: str) -> bool:
    return within(*pair(a, b))


def st_coveredby(a: str, b: str) -> bool:
    return st_covers(b, a)


def st_contains(a: str, b: str) -> bool:
    first, second = pair(a, b)
    return within(first, second) and crosses(first, second, OPEN)


def st_within(a: str, b: str) -> bool:
    return st_contains(b, a)


def st_touches(a: str, b: str) -> bool:
    first, second = pair(a, b)
    return crosses(first, second, CLOSED) and not crosses(first, second, OPEN)


def st_equals(a: str, b: str) -> bool:
    first, second = pair(a, b)
    if first.dimension < 0 or second.dimension < 0:
        return first.dimension == second.dimension
    return within(first, second) and within(second, first)


def st_intersectsbox(text: str, lng1: float, lat1: float, lng2: float, lat2: float) -> bool:
    """The box's north and south are circles of latitude, so it is no polygon."""
    if lat1 > lat2:
        return False
    made = shape(text)
    if made.dimension < 0:
        return False
    width = (lng2 - lng1) % 360 if abs(lng2 - lng1) < 360 else 360
    rect = s2.Rect(s2.R1Interval(math.radians(lat1), math.radians(lat2)),
                   s2.S1Interval.full() if width == 360 else s2.S1Interval(*(math.remainder(math.radians(x), 2 * math.pi) for x in (lng1, lng1 + width))))
    if any(rect.contains_point(p) for p in made.vertices):
        return True
    corners = [point_at(x, y) for x, y in ((lng1, lat1), (lng1 + width, lat1), (lng1 + width, lat2), (lng1, lat2))]
    if made.polygons and any(made.polygon.contains_point(corner) for corner in corners):
        return True
    steps = max(1, math.ceil(width / 0.5))  # short chords stand for a circle of latitude
    sides = [[point_at(lng1 + width * i / steps, lat) for i in range(steps + 1)] for lat in (lat1, lat2)] + [[corners[1], corners[2]], [corners[0], corners[3]]]
    return any(crosses(made, Shape((), [side]), CLOSED) for side in sides if xyz(side[0]) != xyz(side[-1]))


# Set operations -----------------------------------------------------------------------------------

def operate(kind, a: Shape, b: Shape) -> list:
    return polygons_of(s2.boolean_operation(kind, a.index, b.index, polygon_model=s2.PolygonModel.SEMI_OPEN))


def covered(p, others: Shape) -> bool:
    return crosses(Shape([p]), others, CLOSED)


def different(points: list) -> list:
    return list({xyz(p): p for p in points}.values())


def union(shapes: list[Shape]) -> Shape:
    """What lies in any of the shapes: a line inside a polygon and a point on a line are not told apart."""
    merged = s2.Polygon.destructive_union([s2.Polygon.from_oriented_loops([s2.Loop(ring) for ring in rings]) for made in shapes for rings in made.polygons])
    result = Shape((), (), polygons_of(merged))
    lines = [line for made in shapes for line in made.lines]
    if result.polygons:
        lines = [list(part.vertices()) for line in lines for part in result.polygon.subtract_from_polyline(s2.Polyline(line))]
    result.lines = joined(lines)
    points = different([p for made in shapes for p in made.points])
    others = Shape((), result.lines, result.polygons)
    result.points = [p for p in points if others.dimension < 0 or not covered(p, others)]
    return result


def joined(lines: list[list]) -> list[list]:
    """Lines with each edge once, run together at vertices where just two ends meet."""
    edges, ends = {}, {}
    for line in lines:
        for a, b in zip(line, line[1:]):
            edges.setdefault(frozenset((xyz(a), xyz(b))), (a, b))
    if len(lines) == 1 and len(edges) == len(lines[0]) - 1:
        return lines
    for a, b in edges.values():
        for p, q in ((a, b), (b, a)):
            ends.setdefault(xyz(p), []).append(q)
    left = dict(edges)
    result = []
    starts = [p for pair in edges.values() for p in pair if len(ends[xyz(p)]) != 2] + [a for a, _ in edges.values()]
    for start in starts:
        for following in list(ends[xyz(start)]):
            chain, step = [start], following
            while left.pop(frozenset((xyz(chain[-1]), xyz(step))), None):
                chain.append(step)
                if len(ends[xyz(step)]) != 2:
                    break
                step = next((q for q in ends[xyz(step)] if frozenset((xyz(step), xyz(q))) in left), step)
            if len(chain) > 1:
                result.append(chain)
    return result


def st_union(first, second=None) -> str:
    return text_of(union([shape(text) for text in (first if isinstance(first, list) else (first, second)) if text is not None]))


def st_union_agg(texts: list) -> str:
    return st_union(texts)


def st_intersection(a: str, b: str) -> str:
    first, second = pair(a, b)
    if first.dimension < 0 or second.dimension < 0:
        return text_of(Shape())
    polygons = operate(s2.OpType.INTERSECTION, Shape((), (), first.polygons), Shape((), (), second.polygons)) if first.polygons and second.polygons else []
    lines = [list(part.vertices()) for one, other in ((first, second), (second, first)) if other.polygons
             for line in one.polylines for part in other.polygon.intersect_with_polyline(line)]
    points = [p for one, other in ((first, second), (second, first)) for p in one.points if covered(p, other)]
    shared, met = lines_met(first, second)
    whole = Shape((), joined(lines + shared) if lines or shared else [], polygons)
    points = different(points + met)
    whole.points = [p for p in points if whole.dimension < 0 or not covered(p, Shape((), whole.lines, whole.polygons))]
    return text_of(whole)


def lines_met(first: Shape, second: Shape) -> tuple[list, list]:
    """The edges that lines of two shapes have in common, and the points in which they cross or touch."""
    shared, met = [], []
    ours, theirs = Shape((), first.lines).edges, Shape((), second.lines).edges
    for a, b in ours:
        for c, d in theirs:
            if {xyz(a), xyz(b)} == {xyz(c), xyz(d)}:
                shared.append([a, b])
            elif s2.crossing_sign(a, b, c, d) == s2.Crossing.CROSS:
                met.append(s2.intersection(a, b, c, d))
            else:
                met += [p for p in (a, b) if xyz(p) in (xyz(c), xyz(d))]
    return shared, met


def st_difference(a: str, b: str) -> str:
    first, second = pair(a, b)
    if first.dimension < 0 or second.dimension < 0:
        return a
    polygons = first.polygons
    if polygons and second.polygons:
        polygons = operate(s2.OpType.DIFFERENCE, Shape((), (), polygons), Shape((), (), second.polygons))
    lines = first.lines
    if lines and second.polygons:
        lines = [list(part.vertices()) for line in first.polylines for part in second.polygon.subtract_from_polyline(line)]
    if lines and second.lines:
        taken = {frozenset((xyz(c), xyz(d))) for c, d in Shape((), second.lines).edges}
        lines = [piece for line in lines for piece in without(line, taken)]
    return text_of(Shape([p for p in first.points if not covered(p, second)], lines, polygons))


def without(line: list, taken: set) -> list[list]:
    """The pieces of a line that are left when some edges are taken away."""
    pieces = [line[:1]]
    for a, b in zip(line, line[1:]):
        if frozenset((xyz(a), xyz(b))) in taken:
            pieces.append([b])
        else:
            pieces[-1].append(b)
    return [piece for piece in pieces if len(piece) > 1]


# Transformations ----------------------------------------------------------------------------------

def st_boundary(text: str) -> str:
    made = shape(text)
    rings = [ring + ring[:1] for rings in made.polygons for ring in rings]
    ends = [p for line in made.lines if xyz(line[0]) != xyz(line[-1]) for p in (line[0], line[-1])]
    return text_of(Shape(ends, rings))


def middle(made: Shape) -> Shape:
    """The centroid of what has the highest dimension."""
    if made.dimension == 2:
        sums = [xyz(made.polygon.centroid())]
    elif made.dimension == 1:
        sums = [xyz(line.centroid()) for line in made.polylines]
    else:
        sums = [xyz(p) for p in made.points]
    total = [math.fsum(axis) for axis in zip(*sums)]
    if not total or not any(total):
        return Shape()
    return Shape([s2.S2Point(*total).normalize()])


def st_centroid(text: str) -> str:
    return text_of(middle(shape(text)))


def st_centroid_agg(texts: list) -> str:
    return text_of(middle(combined(shape(text) for text in texts if text is not None)))


def buffered(text: str, radius: float, endcap: str, side: str, **precision) -> str:
    """All points nearer than a radius; a negative one takes from a polygon what is that near to its boundary."""
    if endcap.upper() not in ("ROUND", "FLAT") or side.upper() not in ("BOTH", "LEFT", "RIGHT"):
        raise failed(f"ST_Buffer: invalid endcap or side: {endcap}, {side}")
    made = shape(text)
    options = s2.BufferOptions(s2.Angle.from_radians(abs(radius) / RADIUS), end_cap_style=getattr(s2.EndCapStyle, endcap.upper()),
                               polyline_side=getattr(s2.PolylineSide, side.upper()), **precision)
    if radius == 0:
        return text
    if radius < 0:
        boundary = [s2.buffer_polyline(s2.Polyline(edge), options) for edge in Shape((), (), made.polygons).edges]
        return text_of(Shape((), (), polygons_of(made.polygon.difference(s2.Polygon.destructive_union(boundary))) if boundary else ()))
    # The library takes a line that comes back to one of its vertices for its outside, so such a one goes edge by edge.
    pieces = [piece for line in made.lines for piece in ([line] if len(different(line)) == len(line) else map(list, zip(line, line[1:])))]
    parts = [s2.buffer_point(p, options) for p in made.points] + [s2.buffer_polyline(s2.Polyline(piece), options) for piece in pieces]
    parts += [s2.buffer_polygon(made.polygon, options)] if made.polygons else []
    return text_of(Shape((), (), polygons_of(parts[0] if len(parts) == 1 else s2.Polygon.destructive_union(parts)) if parts else ()))


def st_buffer(text: str, radius: float, segments: float = 8, spheroid=False, endcap: str = "ROUND", side: str = "BOTH") -> str:
    refuse_spheroid(spheroid)
    return buffered(text, radius, endcap, side, circle_segments=4.0 * segments)


def st_bufferwithtolerance(text: str, radius: float, tolerance: float, spheroid=False, endcap: str = "ROUND", side: str = "BOTH") -> str:
    refuse_spheroid(spheroid)
    if tolerance <= 0:
        raise failed("ST_BufferWithTolerance: tolerance_meters must be positive")
    return buffered(text, radius, endcap, side, error_fraction=min(1.0, tolerance / abs(radius or 1)))


def st_convexhull(text: str) -> str:
    made = shape(text)
    points = different(made.vertices)
    if len(points) < 3:
        return text_of(Shape(points) if len(points) < 2 else Shape((), [points]))
    query = s2.ConvexHullQuery()
    query.add_points(points)
    return text_of(Shape((), (), [[list(query.convex_hull().vertices())]]))


def st_closestpoint(a: str, b: str, spheroid=False):
    refuse_spheroid(spheroid)
    first, second = pair(a, b)
    if first.dimension < 0 or second.dimension < 0:
        return None
    inside = [p for p in second.vertices if covered(p, first)]
    if inside:
        return text_of(Shape(inside[:1]))
    crossing = [s2.intersection(a0, a1, b0, b1) for a0, a1 in first.edges for b0, b1 in second.edges
                if s2.crossing_sign(a0, a1, b0, b1) == s2.Crossing.CROSS]
    if crossing:
        return text_of(Shape(crossing[:1]))
    places = [(p.chord_angle(q).length2, p) for p in first.points for q in second.vertices]
    for start, end in first.edges:
        for q in second.vertices:
            found = s2.project(q, start, end)
            places.append((found.chord_angle(q).length2, found))
    for start, end in second.edges:  # the nearest may be a vertex of the first beside an edge of the second
        places += [(p.chord_angle(s2.project(p, start, end)).length2, p) for p in first.vertices]
    return text_of(Shape([min(places, key=lambda place: place[0])[1]]))


def st_simplify(text: str, tolerance: float) -> str:
    made = shape(text)
    if tolerance < 0:
        raise failed("ST_Simplify: tolerance_meters must not be negative")
    angle = s2.Angle.from_radians(tolerance / RADIUS)
    lines = [[line[i] for i in polyline.subsample_vertices(angle)] for line, polyline in zip(made.lines, made.polylines)]
    simple = Shape(made.points, [line if len(line) > 1 else line + line for line in lines])
    if made.polygons and tolerance:
        builder = s2.S2Builder(snap_function=s2.IdentitySnapFunction(angle), simplify_edge_chains=True)
        for rings in made.polygons:
            for ring in rings:
                builder.add_loop_from_points(ring)
        simple.polygons = polygons_of(builder.build_polygon())
    else:
        simple.polygons = made.polygons
    return text_of(simple)


def st_snaptogrid(text: str, size: float) -> str:
    digits = round(-math.log10(size)) if size > 0 else 0
    if size <= 0 or not math.isclose(size, 10.0 ** -digits):
        raise failed(f"ST_SnapToGrid: grid_size must be a power of ten, but was {size:.15g}")
    made = shape(text)

    def snap(p):
        lng, lat = degrees(p)
        return point_at(round(lng, digits), round(lat, digits))

    def chain(points: list) -> list:
        snapped = [snap(p) for p in points]
        return [p for i, p in enumerate(snapped) if i == 0 or xyz(p) != xyz(snapped[i - 1])]

    polygons = [[ring for ring in (chain(ring + ring[:1])[:-1] for ring in rings) if len(ring) > 2] for rings in made.polygons]
    lines = lines_of([chain(line) for line in made.lines])
    return text_of(Shape(different([snap(p) for p in made.points]) + lines.points, lines.lines, [rings for rings in polygons if rings]))


def st_lineinterpolatepoint(text: str, fraction: float) -> str:
    if not 0 <= fraction <= 1:
        raise failed("ST_LineInterpolatePoint: the fraction must be between 0 and 1")
    shape(text).the_line("ST_LineInterpolatePoint")
    found = shape(text).polylines[0].interpolate(fraction)
    return text_of(Shape([found[0] if isinstance(found, tuple) else found]))


def st_linelocatepoint(text: str, point: str) -> float:
    line = shape(text).the_line("ST_LineLocatePoint")
    target = shape(point).the_point("ST_LineLocatePoint")
    best, before, total = None, 0.0, sum(a.distance(b).radians for a, b in zip(line, line[1:]))
    for a, b in zip(line, line[1:]):
        nearest = s2.project(target, a, b)
        far = nearest.chord_angle(target).length2
        if best is None or far < best[0]:
            best = far, before + a.distance(nearest).radians
        before += a.distance(b).radians
    return min(1.0, best[1] / total)


def st_linesubstring(text: str, start: float, end: float) -> str:
    if not 0 <= start <= end <= 1:
        raise failed("ST_LineSubstring: the fractions must be between 0 and 1, the start not after the end")
    line = shape(text).the_line("ST_LineSubstring")
    lengths = [a.distance(b).radians for a, b in zip(line, line[1:])]
    total, before, kept = sum(lengths), 0.0, []
    for (a, b), length in zip(zip(line, line[1:]), lengths):
        low, high = max(start * total, before), min(end * total, before + length)
        if low <= high:
            kept += [cut(a, b, low - before, length), cut(a, b, high - before, length)]
        before += length
    return text_of(lines_of([kept]))


def cut(a, b, distance: float, length: float):
    return a if distance <= 0 else b if distance >= length else s2.interpolate_at_distance(s2.Angle.from_radians(distance), a, b)


# Clusters, cells ----------------------------------------------------------------------------------

@takes_nulls
def clusters(texts: list, epsilon: float, minimum: int) -> list:
    """ST_CLUSTERDBSCAN of a window's rows: for each the number of its cluster, or NULL."""
    return list(_clusters(tuple(texts), epsilon, minimum))


@lru_cache(8)
def _clusters(texts: tuple, epsilon: float, minimum: int) -> tuple:
    shapes = [None if text is None else shape(text) for text in texts]

    def near(i: int) -> list[int]:
        return [j for j, other in enumerate(shapes) if other is not None and (
            i == j or (metres(chord(*distinct(shapes[i], other))) or 0) <= epsilon)]

    found: list = [None] * len(shapes)
    count, seen = 0, set()
    for i, made in enumerate(shapes):
        if made is None or made.dimension < 0 or i in seen:
            continue
        around = near(i)
        seen.add(i)
        if len(around) < minimum:
            continue
        found[i], waiting = count, [j for j in around if j != i]
        while waiting:
            j = waiting.pop()
            if found[j] is None:
                found[j] = count
            if j not in seen:
                seen.add(j)
                beyond = near(j)
                waiting += beyond if len(beyond) >= minimum else []
        count += 1
    return tuple(found)


def signed(cell: s2.CellId) -> int:
    return cell.id - 2**64 if cell.id >= 2**63 else cell.id


def s2_cellidfrompoint(text: str, level: int = 30) -> int:
    if not 0 <= level <= 30:
        raise failed(f"S2_CellIdFromPoint: level must be between 0 and 30, but was {level}")
    made = shape(text)
    return None if made.dimension < 0 else signed(s2.CellId.from_point(made.the_point("S2_CellIdFromPoint")).parent_at_level(level))


def s2_coveringcellids(text: str, min_level: int = 0, max_level: int = 30, max_cells: int = 8, buffer: float = 0.0) -> list[int]:
    made = shape(text if not buffer else st_buffer(text, buffer))
    if made.dimension < 0:
        return []
    coverer = s2.RegionCoverer(min_level=min_level, max_level=max_level, max_cells=max_cells)
    ids = [s2.CellId.from_point(p).parent_at_level(max_level) for p in made.points]
    for region in made.polylines + ([made.polygon] if made.polygons else []):
        ids += coverer.covering(region).cell_ids()
    return sorted({signed(cell) for cell in ids})
