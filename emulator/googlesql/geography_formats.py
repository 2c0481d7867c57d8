"""GEOGRAPHY to and from WKT, GeoJSON, WKB and geohashes."""
from __future__ import annotations

import json
import math
import re
import struct

import s2rst as s2

from .geography import union
from .shapes import RADIUS, Reader, Shape, combined, degrees, exact, failed, lines_of, point_at, polygon_of, shape, text_of

TESSELLATION = 10 / RADIUS  # how far a straight line of GeoJSON may be from a geodesic
NUMBER = re.compile(r"-?\d[\d.]*(?:e[-+]?\d+)?")


# WKT ----------------------------------------------------------------------------------------------

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
