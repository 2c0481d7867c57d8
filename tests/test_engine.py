"""The engine as the server's child: it comes back when it dies, at the same place, with everything that was acknowledged."""
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from conftest import ROOT
from lab_fixtures import LiveStream, children, running_lab

FINAL = (ROOT / "tables.final.py").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with running_lab(tmp_path_factory.mktemp("lab"), FINAL) as lab:
        yield lab


def test_an_engine_that_dies(lab):
    assert "Created" in lab.submit(tableName="kept")
    before = lab.ready
    [engine] = children(lab.process.pid)
    lab.live.events.queue.clear()
    os.kill(engine, signal.SIGKILL)
    lab.live.wait("engine", state="down")
    began = time.monotonic()
    answer = lab.post({"tableName": "kept"})
    assert answer.status_code == 503 and "down" in answer.text and time.monotonic() - began < 1
    lab.live.wait("engine", state="up")
    assert children(lab.process.pid) != [engine]
    assert LiveStream(lab.url).snapshot["addresses"] == before
    assert "exists already" in lab.submit(tableName="kept")


WAITS = """
import threading

class my_bigquery_client:
    def execute(self, data):
        return threading.Event().wait()
"""


def test_a_request_whose_engine_does_not_come_back(tmp_path):
    with running_lab(tmp_path, WAITS) as lab:
        [engine] = children(lab.process.pid)
        with ThreadPoolExecutor() as pool:
            answer = pool.submit(lab.post)
            lab.live.wait("started")
            os.kill(engine, signal.SIGKILL)
            lab.live.wait("engine", state="down")
            with socket.create_server(("127.0.0.1", urlsplit(lab.ready["bigquery"]).port)):  # it can't have its port back
                assert answer.result().status_code == 503 and "did not come back" in answer.result().text
        lab.live.wait("engine", state="up")


def test_data_survives_a_restart_of_the_lab(tmp_path):
    for answer in ("Created", "exists already"):
        with running_lab(tmp_path, FINAL) as lab:
            assert answer in lab.submit(tableName="kept")


def test_a_project_of_choice(tmp_path):
    with running_lab(tmp_path, FINAL, "--project", "my-lab") as lab:
        assert "my-lab.Tables_Dataset.t" in lab.submit(tableName="t")
