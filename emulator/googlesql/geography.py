"""Functions of GEOGRAPHY: accessors, measures, predicates, set operations, S2 cells.

Imported when a statement first calls one of its functions; so are its shapes.
"""
from __future__ import annotations

import math
from functools import lru_cache

import s2rst as s2

from .python_functions import takes_nulls
from .shapes import RADIUS, Shape, combined, degrees, failed, lines_of, point_at, polygon_of, polygons_of, shape, text_of, wrong_with, xyz


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
