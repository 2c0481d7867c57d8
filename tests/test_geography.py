"""Geography functions: values that follow from the sphere, and answers recorded from the real service."""
import math

import pytest

from emulator.errors import ApiError
from googlesql_fixture import sql, world  # noqa: F401

SQUARE = "ST_GEOGFROMTEXT('POLYGON((0 0, 4 0, 4 4, 0 4, 0 0))')"
OTHER = "ST_GEOGFROMTEXT('POLYGON((2 2, 6 2, 6 6, 2 6, 2 2))')"
HOLED = "ST_GEOGFROMTEXT('POLYGON((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 1 2, 2 2, 2 1, 1 1))')"
LINE = "ST_GEOGFROMTEXT('LINESTRING(0 0, 1 1, 2 2)')"
EMPTY = "ST_GEOGFROMTEXT('GEOMETRYCOLLECTION EMPTY')"
DEGREE = 6371010 * math.pi / 180


def near(value):
    return pytest.approx(value, rel=1e-9)


# Function -> (expression, value).
CASES = {
    "st_geogpoint": [("ST_ASTEXT(ST_GEOGPOINT(-122.4, 37.8))", "POINT(-122.4 37.8)"), ("ST_ASTEXT(ST_GEOGPOINT(200, -0.0))", "POINT(-160 0)"), ("ST_GEOGPOINT(0, 91)", ApiError),
                     ("SAFE.ST_GEOGPOINT(0, 91)", None), ("ST_GEOGPOINT(NULL, 1)", None), ("ST_ASTEXT(ST_GEOGPOINT(1e-7, 1))", "POINT(1e-07 1)")],
    "st_geogfromtext": [("ST_ASTEXT(ST_GEOGFROMTEXT('POLYGON((0 0, 0 4, 4 4, 4 0, 0 0))'))", "POLYGON((4 0, 4 4, 0 4, 0 0, 4 0))"), ("ST_ASTEXT(ST_GEOGFROMTEXT('MULTIPOINT(1 1)'))", "POINT(1 1)"),
                        ("ST_AREA(ST_GEOGFROMTEXT('POLYGON((0 0, 0 4, 4 4, 4 0, 0 0))', oriented => TRUE)) > 5e14", True), ("ST_GEOGFROMTEXT('POLYGON((0 0, 1 1, 0 1, 1 0, 0 0))')", ApiError),
                        ("ST_GEOGFROMTEXT('POINT(0')", ApiError), ("ST_NUMPOINTS(ST_GEOGFROMTEXT('LINESTRING(0 60, 90 60)', planar => TRUE)) > 10", True)],
    "st_geogfromgeojson": [("ST_ASTEXT(ST_GEOGFROMGEOJSON('{\"type\": \"Point\", \"coordinates\": [3, 4]}'))", "POINT(3 4)"), ("ST_GEOGFROMGEOJSON('{}')", ApiError)],
    "st_geogfromwkb": [("ST_ASTEXT(ST_GEOGFROMWKB(FROM_HEX('0101000000000000000000F03F0000000000000040')))", "POINT(1 2)"), ("ST_GEOGFROMWKB(b'x')", ApiError),
                       (f"ST_ASTEXT(ST_GEOGFROMWKB(ST_ASBINARY({HOLED}))) = ST_ASTEXT({HOLED})", True)],
    "st_geogfrom": [("ST_ASTEXT(ST_GEOGFROM('POINT(1 2)'))", "POINT(1 2)"), ("ST_ASTEXT(ST_GEOGFROM('0101000000000000000000F03F0000000000000040'))", "POINT(1 2)")],
    "st_geogpointfromgeohash": [("ST_GEOHASH(ST_GEOGPOINTFROMGEOHASH('c22yzugqw7'), 10)", "c22yzugqw7")], "st_geohash": [("ST_GEOHASH(ST_GEOGPOINT(-122.35, 47.62), 10)", "c22yzugqw7")],
    "st_astext": [(f"ST_ASTEXT({HOLED})", "POLYGON((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 1 2, 2 2, 2 1, 1 1))"), (f"ST_ASTEXT({EMPTY})", "GEOMETRYCOLLECTION EMPTY"),
                  ("ST_ASTEXT(ST_GEOGFROMTEXT('GEOMETRYCOLLECTION(POINT(1 2), LINESTRING(0 0, 1 1), POINT(3 4))'))", "GEOMETRYCOLLECTION(MULTIPOINT(1 2, 3 4), LINESTRING(0 0, 1 1))")],
    "st_asgeojson": [(f"ST_ASGEOJSON({LINE})", '{ "type": "LineString", "coordinates": [ [0, 0], [1, 1], [1.49988573656168, 1.5000570914792], [2, 2] ] } ')],
    "st_asbinary": [("TO_HEX(ST_ASBINARY(ST_GEOGPOINT(1, 2)))", "0101000000000000000000f03f0000000000000040")],
    "st_makeline": [("ST_ASTEXT(ST_MAKELINE(ST_GEOGPOINT(1, 2), ST_GEOGPOINT(3, 4)))", "LINESTRING(1 2, 3 4)"), (f"ST_ASTEXT(ST_MAKELINE([ST_GEOGPOINT(5, 5), {LINE}]))", "LINESTRING(5 5, 0 0, 1 1, 2 2)")],
    "st_makepolygon": [("ST_ASTEXT(ST_MAKEPOLYGON(ST_GEOGFROMTEXT('LINESTRING(0 0, 4 0, 4 4)')))", "POLYGON((0 0, 4 0, 4 4, 0 0))")],
    "st_makepolygonoriented": [("ST_GEOMETRYTYPE(ST_MAKEPOLYGONORIENTED([ST_GEOGFROMTEXT('LINESTRING(0 0, 1 0, 1 1, 0 1, 0 0)')]))", "ST_Polygon")],
    "st_x": [("ST_X(ST_GEOGPOINT(1, 2))", 1.0), (f"ST_X({LINE})", ApiError), (f"ST_X({EMPTY})", None)], "st_y": [("ST_Y(ST_GEOGPOINT(1, 2))", 2.0)],
    "st_dimension": [(f"ST_DIMENSION({LINE})", 1), (f"ST_DIMENSION({EMPTY})", -1)], "st_geometrytype": [(f"ST_GEOMETRYTYPE({SQUARE})", "ST_Polygon"), (f"ST_GEOMETRYTYPE({EMPTY})", "ST_GeometryCollection")],
    "st_isempty": [(f"ST_ISEMPTY({EMPTY})", True)], "st_iscollection": [("ST_ISCOLLECTION(ST_GEOGFROMTEXT('MULTIPOINT(0 0, 1 1)'))", True)], "st_isclosed": [(f"ST_ISCLOSED({LINE})", False), ("ST_ISCLOSED(ST_GEOGPOINT(1, 1))", True)],
    "st_isring": [("ST_ISRING(ST_GEOGFROMTEXT('LINESTRING(0 0, 1 0, 1 1, 0 0)'))", True), (f"ST_ISRING({LINE})", False)], "st_numgeometries": [("ST_NUMGEOMETRIES(ST_GEOGFROMTEXT('MULTIPOINT(0 0, 1 1)'))", 2)],
    "st_numpoints": [(f"ST_NUMPOINTS({SQUARE})", 5), (f"ST_NPOINTS({LINE})", 3)], "st_pointn": [(f"ST_ASTEXT(ST_POINTN({LINE}, -2))", "POINT(1 1)"), (f"ST_POINTN({LINE}, 9)", None)],
    "st_startpoint": [(f"ST_ASTEXT(ST_STARTPOINT({LINE}))", "POINT(0 0)")], "st_endpoint": [(f"ST_ASTEXT(ST_ENDPOINT({LINE}))", "POINT(2 2)")],
    "st_dump": [(f"ARRAY(SELECT ST_ASTEXT(g) FROM UNNEST(ST_DUMP(ST_GEOGFROMTEXT('GEOMETRYCOLLECTION(POINT(0 0), LINESTRING(1 2, 2 1))'))) AS g)", ["POINT(0 0)", "LINESTRING(1 2, 2 1)"]),
                ("ARRAY_LENGTH(ST_DUMP(ST_GEOGFROMTEXT('GEOMETRYCOLLECTION(POINT(0 0), LINESTRING(1 2, 2 1))'), 1))", 1)],
    "st_dumppoints": [(f"ARRAY_LENGTH(ST_DUMPPOINTS({LINE}))", 3)], "st_exteriorring": [(f"ST_ASTEXT(ST_EXTERIORRING({HOLED}))", "LINESTRING(0 0, 4 0, 4 4, 0 4, 0 0)")],
    "st_interiorrings": [(f"ARRAY_LENGTH(ST_INTERIORRINGS({HOLED}))", 1)],
    "st_area": [("ST_AREA(ST_GEOGFROMTEXT('POLYGON((-74.05 40.70, -73.95 40.70, -73.95 40.80, -74.05 40.80, -74.05 40.70))'))", 93667971.6248693), (f"ST_AREA({LINE})", 0.0), (f"ST_AREA({SQUARE}, TRUE)", ApiError)],
    "st_length": [("ST_LENGTH(ST_GEOGFROMTEXT('LINESTRING(-73.9857 40.7580, -73.9857 40.8480)'))", 10007.559105973372), (f"ST_LENGTH({SQUARE})", 0.0)],
    "st_perimeter": [("ST_PERIMETER(ST_GEOGFROMTEXT('POLYGON((-125 25, -65 25, -65 50, -125 50, -125 25))'))", 15721531.209685314)],
    "st_distance": [("ST_DISTANCE(ST_GEOGPOINT(-74.0060, 40.7128), ST_GEOGPOINT(-74.7430, 40.2206))", 82960.36216149233), (f"ST_DISTANCE({SQUARE}, ST_GEOGPOINT(1, 1))", 0.0),
                    (f"ST_DISTANCE({SQUARE}, ST_GEOGPOINT(5, 0))", near(DEGREE)), (f"ST_DISTANCE({SQUARE}, {EMPTY})", None)],
    "st_dwithin": [("ST_DWITHIN(ST_GEOGPOINT(0, 0), ST_GEOGPOINT(0, 1), 111200)", True), ("ST_DWITHIN(ST_GEOGPOINT(0, 0), ST_GEOGPOINT(0, 1), 111100)", False)],
    "st_maxdistance": [("ST_MAXDISTANCE(ST_GEOGPOINT(0, 0), ST_GEOGFROMTEXT('LINESTRING(0 1, 0 2)'))", near(2 * DEGREE))],
    "st_hausdorffdistance": [("ST_HAUSDORFFDISTANCE(ST_GEOGPOINT(0, 0), ST_GEOGFROMTEXT('LINESTRING(0 1, 0 2)'))", near(2 * DEGREE)), ("ST_HAUSDORFFDISTANCE(ST_GEOGPOINT(0, 0), ST_GEOGFROMTEXT('LINESTRING(0 1, 0 2)'), directed => TRUE)", near(DEGREE))],
    "st_hausdorffdwithin": [("ST_HAUSDORFFDWITHIN(ST_GEOGPOINT(0, 0), ST_GEOGPOINT(0, 1), 1000000)", True)],
    "st_azimuth": [("ST_AZIMUTH(ST_GEOGPOINT(0, 0), ST_GEOGPOINT(1, 0))", near(math.pi / 2)), ("ST_AZIMUTH(ST_GEOGPOINT(0, 0), ST_GEOGPOINT(0, 0))", None)],
    "st_angle": [("ST_ANGLE(ST_GEOGPOINT(1, 0), ST_GEOGPOINT(0, 0), ST_GEOGPOINT(0, -1))", near(math.pi / 2))],
    "st_boundingbox": [("ST_BOUNDINGBOX(ST_GEOGPOINT(1, 2))", {"xmin": 1.0, "ymin": 2.0, "xmax": 1.0, "ymax": 2.0}), ("ST_BOUNDINGBOX(ST_GEOGFROMTEXT('LINESTRING(170 0, -170 0)')).xmax", near(190)), (f"ST_BOUNDINGBOX({EMPTY})", None)],
    "st_contains": [(f"ST_CONTAINS({SQUARE}, ST_GEOGPOINT(1, 1))", True), (f"ST_CONTAINS({SQUARE}, ST_GEOGPOINT(0, 0))", False)], "st_covers": [(f"ST_COVERS({SQUARE}, ST_GEOGPOINT(0, 0))", True)],
    "st_coveredby": [(f"ST_COVEREDBY(ST_GEOGPOINT(1, 1), {SQUARE})", True)], "st_within": [(f"ST_WITHIN(ST_GEOGPOINT(9, 9), {SQUARE})", False)],
    "st_intersects": [("ST_INTERSECTS(ST_GEOGFROMTEXT('LINESTRING(0 0, 2 2)'), ST_GEOGFROMTEXT('LINESTRING(0 2, 2 0)'))", True), (f"ST_INTERSECTS({SQUARE}, {EMPTY})", False)],
    "st_disjoint": [("ST_DISJOINT(ST_GEOGPOINT(0, 0), ST_GEOGPOINT(5, 5))", True)], "st_equals": [(f"ST_EQUALS({LINE}, ST_GEOGFROMTEXT('LINESTRING(2 2, 1 1, 0 0)'))", True), (f"ST_EQUALS({SQUARE}, {OTHER})", False)],
    "st_touches": [(f"ST_TOUCHES({SQUARE}, ST_GEOGPOINT(0, 0))", True), (f"ST_TOUCHES({SQUARE}, {OTHER})", False)],
    "st_intersectsbox": [("ST_INTERSECTSBOX(ST_GEOGPOINT(5, 5), 0, 0, 2, 2)", False), ("ST_INTERSECTSBOX(ST_GEOGFROMTEXT('LINESTRING(-1 1, 5 1)'), 0, 0, 2, 2)", True), ("ST_INTERSECTSBOX(ST_GEOGPOINT(179, 1), 170, 0, -170, 2)", True)],
    "st_intersection": [(f"ST_ASTEXT(ST_INTERSECTION({SQUARE}, {OTHER}))", "POLYGON((2 2, 4 2.00121809765277, 4 4, 2 4.00243025545118, 2 2))"), (f"ST_ASTEXT(ST_INTERSECTION({SQUARE}, ST_GEOGPOINT(1, 1)))", "POINT(1 1)"),
                        ("ST_ASTEXT(ST_INTERSECTION(ST_GEOGFROMTEXT('LINESTRING(0 0, 2 2)'), ST_GEOGFROMTEXT('LINESTRING(0 2, 2 0)')))", "POINT(1 1.00045705372412)")],
    "st_union": [("ST_ASTEXT(ST_UNION(ST_GEOGPOINT(0, 0), ST_GEOGPOINT(1, 1)))", "MULTIPOINT(0 0, 1 1)"), (f"ABS(ST_AREA(ST_UNION({SQUARE}, {OTHER})) + ST_AREA(ST_INTERSECTION({SQUARE}, {OTHER})) - ST_AREA({SQUARE}) - ST_AREA({OTHER})) < 1", True),
                 (f"ST_ASTEXT(ST_UNION([{SQUARE}, ST_GEOGPOINT(1, 1), NULL]))", "POLYGON((0 0, 4 0, 4 4, 0 4, 0 0))")],
    "st_difference": [(f"ABS(ST_AREA(ST_DIFFERENCE({SQUARE}, {OTHER})) + ST_AREA(ST_INTERSECTION({SQUARE}, {OTHER})) - ST_AREA({SQUARE})) < 1", True), (f"ST_ISEMPTY(ST_DIFFERENCE(ST_GEOGPOINT(1, 1), {SQUARE}))", True)],
    "st_boundary": [(f"ST_GEOMETRYTYPE(ST_BOUNDARY({SQUARE}))", "ST_LineString"), (f"ST_ASTEXT(ST_BOUNDARY({LINE}))", "MULTIPOINT(0 0, 2 2)")],
    "st_buffer": [("STARTS_WITH(ST_ASTEXT(ST_BUFFER(ST_GEOGPOINT(0, 0), 100)), 'POLYGON((-0.000899307563648656 4.76633008714216e-06, ')", True), (f"ST_AREA(ST_BUFFER({SQUARE}, -1000)) < ST_AREA({SQUARE})", True),
                  ("ST_AREA(ST_BUFFER(ST_GEOGFROMTEXT('LINESTRING(0 0, 0 1)'), 1000, endcap => 'FLAT'))", pytest.approx(2000 * DEGREE, rel=1e-3)), (f"ST_ISEMPTY(ST_BUFFER({LINE}, -5))", True)],
    "st_bufferwithtolerance": [("ST_AREA(ST_BUFFERWITHTOLERANCE(ST_GEOGPOINT(0, 0), 1000, tolerance_meters => 1))", pytest.approx(math.pi * 1e6, rel=2e-3))],
    "st_centroid": [(f"ST_ASTEXT(ST_CENTROID({SQUARE}))", "POINT(2.00000000000004 2.00040218892024)"), (f"ST_ISEMPTY(ST_CENTROID({EMPTY}))", True)],
    "st_closestpoint": [(f"ST_ASTEXT(ST_CLOSESTPOINT({SQUARE}, ST_GEOGPOINT(5, 0)))", "POINT(4 0)"), (f"ST_ASTEXT(ST_CLOSESTPOINT({SQUARE}, ST_GEOGPOINT(1, 1)))", "POINT(1 1)")],
    "st_convexhull": [("ST_ASTEXT(ST_CONVEXHULL(ST_GEOGFROMTEXT('MULTIPOINT(0 0, 4 0, 4 4, 0 4, 1 1)')))", "POLYGON((0 0, 4 0, 4 4, 0 4, 0 0))")],
    "st_simplify": [("ST_ASTEXT(ST_SIMPLIFY(ST_GEOGFROMTEXT('LINESTRING(0 0, 1 0, 2 0)'), 1))", "LINESTRING(0 0, 2 0)")], "st_snaptogrid": [("ST_ASTEXT(ST_SNAPTOGRID(ST_GEOGPOINT(1.234, 5.678), 0.1))", "POINT(1.2 5.7)")],
    "st_lineinterpolatepoint": [("ST_ASTEXT(ST_LINEINTERPOLATEPOINT(ST_GEOGFROMTEXT('LINESTRING(0 0, 0 2)'), 0.5))", "POINT(0 1)")], "st_linelocatepoint": [("ST_LINELOCATEPOINT(ST_GEOGFROMTEXT('LINESTRING(0 0, 0 2)'), ST_GEOGPOINT(1, 1))", pytest.approx(0.5, rel=1e-3))],
    "st_linesubstring": [("ST_ASTEXT(ST_LINESUBSTRING(ST_GEOGFROMTEXT('LINESTRING(0 0, 0 1, 0 2)'), 0, 0.5))", "LINESTRING(0 0, 0 1)")],
    "s2_cellidfrompoint": [("S2_CELLIDFROMPOINT(ST_GEOGPOINT(1, 2), level => 5)", 1154047404513689600), ("S2_CELLIDFROMPOINT(ST_GEOGPOINT(1, 2), level => 31)", ApiError)],
    "s2_coveringcellids": [("S2_COVERINGCELLIDS(ST_GEOGPOINT(1, 2), max_level => 5)", [1154047404513689600]), (f"ARRAY_LENGTH(S2_COVERINGCELLIDS({SQUARE}, max_cells => 4)) <= 4", True)],
    "st_union_agg": [("(SELECT ST_ASTEXT(ST_UNION_AGG(p)) FROM UNNEST([ST_GEOGPOINT(0, 0), ST_GEOGPOINT(1, 1), NULL]) AS p)", "MULTIPOINT(0 0, 1 1)")],
    "st_centroid_agg": [("(SELECT ST_ASTEXT(ST_CENTROID_AGG(p)) FROM UNNEST([ST_GEOGPOINT(0, 0), ST_GEOGPOINT(0, 2), NULL]) AS p)", "POINT(0 1)")],
    "st_extent": [("(SELECT ST_EXTENT(p) FROM UNNEST([ST_GEOGPOINT(0, 0), ST_GEOGPOINT(1, 2)]) AS p)", {"xmin": 0.0, "ymin": 0.0, "xmax": 1.0, "ymax": 2.0})],
    "st_clusterdbscan": [("ARRAY(SELECT c FROM (SELECT x, ST_CLUSTERDBSCAN(ST_GEOGPOINT(x, 0), 200000, 2) OVER () AS c FROM UNNEST([0, 1, 5, 50, 6]) AS x) ORDER BY x)", [0, 0, 1, 1, None])],
}


@pytest.mark.parametrize("expression,expected", [pair for pairs in CASES.values() for pair in pairs])
def test_function(world, expression, expected):
    if expected is ApiError:
        with pytest.raises(ApiError) as failed:
            world.value(expression)
        assert failed.value.reason == "invalidQuery"
    else:
        assert world.value(expression) == expected


def test_many_points_in_a_table(world):
    assert world.rows("SELECT COUNT(*), MAX(ST_X(ST_GEOGPOINT(x / 100, 1))) FROM UNNEST(GENERATE_ARRAY(1, 5000)) AS x") == [(5000, 50.0)]


def test_start_does_not_load_the_library():
    import subprocess
    import sys
    code = "import sys, emulator.__main__, emulator.googlesql.functions; sys.exit('s2rst' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_column_over_rest(client, dataset):
    from google.cloud import bigquery
    table = bigquery.Table(f"{client.project}.{dataset}.places", [bigquery.SchemaField("name", "STRING"), bigquery.SchemaField("place", "GEOGRAPHY")])
    client.create_table(table)
    client.insert_rows_json(table, [{"name": "a", "place": "POINT(1 2)"}])
    client.query(f"INSERT INTO `{dataset}.places` VALUES ('b', ST_CENTROID(ST_GEOGFROMTEXT('POLYGON((0 0, 4 0, 4 4, 0 4, 0 0))')))").result()
    rows = list(client.query(f"SELECT name, place, ST_DISTANCE(place, ST_GEOGPOINT(1, 2)) AS d FROM `{dataset}.places` ORDER BY name").result())
    assert [(row.name, row.place) for row in rows] == [("a", "POINT(1 2)"), ("b", "POINT(2.00000000000004 2.00040218892024)")]
    assert rows[0].d == 0
    assert [row.place for row in client.list_rows(client.get_table(table)) if row.name == "a"] == ["POINT(1 2)"]
    parameters = [bigquery.ScalarQueryParameter("g", "GEOGRAPHY", "POINT(1 2)")]
    assert next(iter(client.query("SELECT ST_X(@g)", job_config=bigquery.QueryJobConfig(query_parameters=parameters)).result()))[0] == 1
