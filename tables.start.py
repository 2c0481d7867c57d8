"""The BigQuery tables lab: twelve operations on tables with Google's Python client.

Turn one key of `env` to True, save this file, fill in the form on the page and press Submit.
Every save is live at once; while the file has a mistake, the last version without one answers.
"""
import datetime
import json
import time
import unicodedata

import pytz
from google.api_core.exceptions import BadRequest, Conflict, Forbidden, NotFound
from google.cloud import bigquery

client = bigquery.Client()


class my_bigquery_client:
    # The operation that Submit runs: the first one that is True.
    env = {
        "create": False,
        "setIAM": False,
        "getIAM": False,
        "updateDesc": False,
        "updateExpiration": False,
        "copySingle": False,
        "copyMultiple": False,
        "delete": False,
        "recover": False,
        "querySDK": False,
        "querySQL": False,
        "export": False,
    }
    dataset_names = ["Tables_Dataset"]

    def __init__(self):
        # The page talks to one object that lives through every save: only its code is exchanged.
        # What the code needs is kept on the object, so that new code finds it there.
        self.client = client
        self.bigquery = bigquery
        self.datetime = datetime
        self.pytz = pytz
        self.time = time

    def execute(self, data):
        """Run the operation that is on with the form's data; what it returns is shown on the page."""
        operation = next((name for name, on in self.env.items() if on), None)
        if operation is None:
            return "No operation is on. Turn one key of env in tables.py to True, save, and submit again."
        try:
            return self.run(operation, data)
        except Exception as error:
            print(f"{type(error).__name__}: {error}")
            return f"{operation} did not work. See the backend's output for the reason."

    def run(self, operation, data):
        dataset = self.client.create_dataset(self.dataset_names[0], exists_ok=True)
        name = data.get("tableName")
        name = name.strip() if isinstance(name, str) else ""
        table_id = f"{self.dataset_names[0]}.{name}"
        works_on_a_table = operation not in ("querySDK", "querySQL", "export")
        if works_on_a_table and not name:
            return "Give the table a name: the field is empty."
        if works_on_a_table and not self.is_table_name(name):
            return (f"BigQuery refuses the name {name[:50]}. A table's name has letters, marks, numbers, connectors, dashes and "
                    "spaces only, and at most 1,024 bytes.")
        table = self.find_table(dataset.table(name)) if works_on_a_table else None

        # create: paste below this line
        # create: paste above this line

        # getIAM: paste below this line
        # getIAM: paste above this line

        # setIAM: paste below this line
        # setIAM: paste above this line

        # updateDesc: paste below this line
        # updateDesc: paste above this line

        # updateExpiration: paste below this line
        # updateExpiration: paste above this line

        # copySingle: paste below this line
        # copySingle: paste above this line

        # copyMultiple: paste below this line
        # copyMultiple: paste above this line

        # delete: paste below this line
        # delete: paste above this line

        # recover: paste below this line
        # recover: paste above this line

        # querySDK: paste below this line
        # querySDK: paste above this line

        # querySQL: paste below this line
        # querySQL: paste above this line

        # export: paste below this line
        # export: paste above this line

        return f"{operation} is on, but its place in tables.py is still empty. Paste its code there, save, and submit again."

    def is_table_name(self, name):
        """Whether BigQuery takes it. Asked before anything is sent: in a request's URL, `a#b` would mean table `a`."""
        kinds = {unicodedata.category(character) for character in name}
        return len(name.encode("utf-8", "replace")) <= 1024 and all(kind[0] in "LMN" or kind in ("Pc", "Pd", "Zs") for kind in kinds)

    def reason(self, error):
        """What BigQuery said, without the request that it answered."""
        return error.errors[0]["message"] if error.errors else error.message

    def find_table(self, reference):
        """The table, or None where there is none."""
        try:
            return self.client.get_table(reference)
        except NotFound:
            return None

    def rows_as_json(self, rows):
        """Rows as the page shows them in its grid."""
        shown = [[[name, value] for name, value in row.items()] for row in rows]
        return json.dumps({"rows": shown, "schema": [field.name for field in rows.schema]}, default=str)
