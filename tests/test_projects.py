"""projects.*"""
from google.cloud import bigquery


def test_list_names_the_own_project_and_those_with_datasets(client):
    other = bigquery.Client(project="another-project", credentials=client._credentials, client_options={"api_endpoint": client._connection.API_BASE_URL})
    other.create_dataset("here")
    assert {"another-project", client.project} <= {project.project_id for project in client.list_projects()}
    other.delete_dataset("here")


def test_service_account(client):
    assert "@" in client.get_service_account_email()
