"""Requests are checked against the table of messages."""
import pytest

from emulator import messages
from emulator.errors import ApiError


def test_every_type_in_the_table_is_known():
    table = messages.table()
    for message, fields in table.items():
        for name, kind in fields.items():
            plain = kind.strip("[]{}!")
            assert kind.endswith("!") or plain in table or plain in messages.SCALARS or plain == "any", f"{message}.{name}: {kind}"


def test_values_take_the_form_the_wire_has():
    body = {"tableReference": {"projectId": "p", "datasetId": "d", "tableId": "t"}, "expirationTime": 5,
            "requirePartitionFilter": "true", "friendlyName": True, "labels": {"a": None}, "schema": {"fields": [{"name": "x", "type": "STRING"}]}}
    assert messages.check("Table", body) == body | {"expirationTime": "5", "requirePartitionFilter": True, "friendlyName": "true"}


def test_output_only_fields_are_dropped():
    assert messages.check("Table", {"etag": "e", "numRows": "5", "id": "i", "description": "d"}) == {"description": "d"}


@pytest.mark.parametrize("body, words", [
    ([], "An object is expected"),
    ({"nme": 1}, 'Unknown name "nme": Cannot find field.'),
    ({"schema": {"fields": [{"name": "a"}, {"nme": "b"}]}}, "Unknown name \"nme\" at 'schema.fields[1]'"),
    ({"schema": []}, "An object is expected at 'schema'"),
    ({"schema": {"fields": {}}}, "Invalid value at 'schema.fields' (a list), {}"),
    ({"expirationTime": "soon"}, "Invalid value at 'expirationTime' (TYPE_INT64), \"soon\""),
    ({"expirationTime": 1.5}, "(TYPE_INT64), 1.5"),
    ({"expirationTime": 2**63}, "(TYPE_INT64)"),
    ({"requirePartitionFilter": 1}, "(TYPE_BOOL), 1"),
    ({"description": {"a": 1}}, "(TYPE_STRING)"),
])
def test_what_does_not_fit_is_named(body, words):
    with pytest.raises(ApiError) as error:
        messages.check("Table", body)
    assert error.value.reason == "badRequest" and words in error.value.message
