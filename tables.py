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
        "create": True,
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
        if operation == "create":
            if table:
                return f"Table {table_id} exists already. Choose another name, or delete it first."
            schema = [
                self.bigquery.SchemaField("state_fips_code", "STRING", mode="NULLABLE"),
                self.bigquery.SchemaField("state_postal_abbreviation", "STRING", mode="NULLABLE"),
                self.bigquery.SchemaField("state_name", "STRING", mode="NULLABLE"),
                self.bigquery.SchemaField("state_gnisid", "STRING", mode="NULLABLE"),
                # For after copyMultiple: a table with these two can't be merged with the public one.
                # self.bigquery.SchemaField("full_name", "STRING", mode="REQUIRED"),
                # self.bigquery.SchemaField("age", "INTEGER", mode="REQUIRED"),
            ]
            table = self.client.create_table(self.bigquery.Table(dataset.table(name), schema=schema))
            return f"Created table {table.project}.{table.dataset_id}.{table.table_id} with {len(table.schema)} columns."
        # create: paste above this line

        # getIAM: paste below this line
        if operation == "getIAM":
            if not table:
                return f"There is no table {table_id}. Create it first, or check the name."
            policy = self.client.get_iam_policy(table)
            return {"bindings": [{**binding, "members": sorted(binding["members"])} for binding in policy.bindings]}
        # getIAM: paste above this line

        # setIAM: paste below this line
        if operation == "setIAM":
            if not table:
                return f"There is no table {table_id}. Create it first, or check the name."
            emails = data.get("emails") or []
            if not emails:
                return "Add at least one row with a type and an e-mail address."
            for row in emails:
                if not (isinstance(row, list) and len(row) == 2 and all(isinstance(part, str) for part in row) and row[1].strip()):
                    return "Every row needs a type and an e-mail address."
                if row[0] not in ("user", "group", "serviceAccount"):
                    return f"{row[0]!r} is no type of e-mail address. Choose user, group or serviceAccount for {row[1]}."
            policy = self.client.get_iam_policy(table)
            policy.bindings = [
                {"role": "roles/owner", "members": {f"{kind}:{email}" for kind, email in emails}},
                {"role": "roles/editor", "members": {"allAuthenticatedUsers"}},
                {"role": "roles/viewer", "members": {"allUsers"}},
            ]
            try:
                self.client.set_iam_policy(table, policy)
            except BadRequest as error:
                return f"BigQuery refuses the policy. Check every address and its type. It said: {self.reason(error)}"
            return f"Set the policy of {table_id}: {len(emails)} owner(s); anyone who is signed in may edit, anyone may view."
        # setIAM: paste above this line

        # updateDesc: paste below this line
        if operation == "updateDesc":
            if not table:
                return f"There is no table {table_id}. Create it first, or check the name."
            table.description = "FIPS codes of the states, kept by the BigQuery tables lab."
            updated = self.client.update_table(table, ["description"])
            if updated.description != table.description:
                return f"The description of {table_id} did not change. Submit again."
            return f"The description of {table_id} is now: {updated.description}"
        # updateDesc: paste above this line

        # updateExpiration: paste below this line
        if operation == "updateExpiration":
            if not table:
                return f"There is no table {table_id}. Create it first, or check the name."
            if table.expires:
                return f"Table {table_id} expires already, at {table.expires:%Y-%m-%d %H:%M:%S} UTC. It was left as it is."
            expires = self.datetime.datetime.now(self.pytz.utc) + self.datetime.timedelta(days=5)
            table.expires = expires
            updated = self.client.update_table(table, ["expires"])
            if abs(updated.expires - expires) >= self.datetime.timedelta(milliseconds=1):
                return f"Table {table_id} expires at {updated.expires}, not at {expires} as asked. Submit again."
            return f"Table {table_id} expires in five days, at {updated.expires:%Y-%m-%d %H:%M:%S} UTC."
        # updateExpiration: paste above this line

        # copySingle: paste below this line
        if operation == "copySingle":
            if not table:
                return f"There is no table {table_id}. Create it first, or check the name."
            try:
                self.client.copy_table(table, dataset.table("Copied_Table")).result()
            except Conflict:
                return "Copied_Table has data already, and a copy does not write over it. Delete Copied_Table first."
            copied = self.client.get_table(dataset.table("Copied_Table"))
            return f"Copied {table_id} to Copied_Table: {copied.num_rows} rows."
        # copySingle: paste above this line

        # copyMultiple: paste below this line
        if operation == "copyMultiple":
            if not table:
                return f"There is no table {table_id}. Create it first, or check the name."
            sources = [table, "bigquery-public-data.census_utility.fips_codes_states"]
            try:
                self.client.copy_table(sources, dataset.table("Merged_Table")).result()
            except BadRequest as error:
                return (f"The schemas differ: {table_id} must have the four columns of fips_codes_states, no more and no fewer. "
                        f"BigQuery said: {self.reason(error)}")
            except Conflict:
                return "Merged_Table has data already, and a copy does not write over it. Delete Merged_Table first."
            merged = self.client.get_table(dataset.table("Merged_Table"))
            return f"Merged {table_id} and fips_codes_states into Merged_Table: {merged.num_rows} rows."
        # copyMultiple: paste above this line

        # delete: paste below this line
        if operation == "delete":
            try:
                self.client.delete_table(dataset.table(name), not_found_ok=False)
            except NotFound:
                return f"There is no table {table_id} to delete. Check the name."
            return f"Deleted table {table_id}. For seven days it can be recovered."
        # delete: paste above this line

        # recover: paste below this line
        if operation == "recover":
            if not table:
                return f"Table {table_id} is deleted already. Create it again: recover needs the moment just before it deletes."
            moment = int(self.time.time() * 1000)
            self.client.delete_table(table)
            overwrite = self.bigquery.CopyJobConfig(write_disposition="WRITE_TRUNCATE")
            self.client.copy_table(
                dataset.table(f"{name}@{moment}"), dataset.table("Recovered_Table"), location="US", job_config=overwrite).result()
            recovered = self.client.get_table(dataset.table("Recovered_Table"))
            return f"Deleted {table_id} and recovered it as it was at {moment} to Recovered_Table: {recovered.num_rows} rows."
        # recover: paste above this line

        # querySDK: paste below this line
        if operation == "querySDK":
            public = self.client.get_table("bigquery-public-data.census_utility.fips_codes_states")
            browse = data.get("browse")
            if browse == "All Rows":
                rows = self.client.list_rows(public)
                for row in rows:
                    print(dict(row))
                return f"Printed all {rows.total_rows} rows to the backend's output."
            if browse == "Count Rows":
                return f"Downloaded and counted {len(list(self.client.list_rows(public)))} rows."
            if browse == "10 Rows":
                return self.rows_as_json(self.client.list_rows(public, max_results=10))
            if browse == "Selected Fields":
                rows = self.client.list_rows(public, selected_fields=public.schema[:2], max_results=10)
                for row in rows:
                    print(dict(row))
                return "Printed 10 rows of " + " and ".join(field.name for field in rows.schema) + " to the backend's output."
            if browse == "Pretty Print":
                rows = self.client.list_rows(public, max_results=10)
                line = "{:<20} " * len(rows.schema)
                print(line.format(*(field.name[:20] for field in rows.schema)))
                for row in rows:
                    print(line.format(*(str(value)[:20] for value in row)))
                return "Printed 10 rows in columns to the backend's output."
            return "Choose how to browse: All Rows, Count Rows, 10 Rows, Selected Fields or Pretty Print."
        # querySDK: paste above this line

        # querySQL: paste below this line
        if operation == "querySQL":
            query = """
                SELECT
                  CONCAT('https://stackoverflow.com/questions/', CAST(id AS STRING)) AS url,
                  view_count,
                  tags
                FROM `bigquery-public-data.stackoverflow.posts_questions`
                WHERE 'google-bigquery' IN UNNEST(SPLIT(tags, '|'))
                ORDER BY view_count DESC
                LIMIT 10"""
            return self.rows_as_json(self.client.query(query).result())
        # querySQL: paste above this line

        # export: paste below this line
        if operation == "export":
            if not name:
                return "Give the name of a bucket: the field is empty."
            uri = f"gs://{name}/shakespeare.csv"
            try:
                self.client.extract_table("bigquery-public-data.samples.shakespeare", uri, location="US").result()
            except NotFound:
                return f"There is no bucket {name}. Create it first, or check the name."
            except Forbidden:
                return (f"Bucket {name} is not yours. Check the name: bucket names are shared by everybody, and with one letter "
                        "wrong your data could go to a stranger.")
            return f"Exported bigquery-public-data.samples.shakespeare to {uri}."
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
