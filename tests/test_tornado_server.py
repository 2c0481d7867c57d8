"""The backend over HTTP: the wire contract, every error in it, who may call, what ends it, and the live stream."""
import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from conftest import ROOT
from lab_fixtures import LiveStream, children, ready_url, running_lab, start, wait_until_gone

JSON = {"Content-Type": "application/json"}
# What data asks for, execute does.
SOURCE = '''
import asyncio
import os
import sys
import threading

gate = threading.Event()


class my_bigquery_client:
    env = {"first": False, "second": True}

    def execute(self, data):
        return getattr(self, data.get("do", "echo"))(data)

    def echo(self, data):
        return f"got {data.get('tableName')}"

    def give(self, data):
        return data["value"]

    def prints(self, data):
        print("one\\ntwo", end="")
        print(" halves")
        print("no end", end="")
        return "printed"

    def prints_in_a_thread(self, data):
        thread = threading.Thread(target=print, args=["from a thread"])
        thread.start()
        thread.join()
        return "printed"

    def waits(self, data):
        gate.wait()
        return "waited"

    def opens(self, data):
        gate.set()
        return "opened"

    async def later(self, data):
        await asyncio.sleep(0)
        return "later"

    async def blocks(self, data):
        gate.wait()
        return "blocked"

    def fails(self, data):
        return self.deeper()

    def deeper(self):
        return {}["no such key"]

    def exits(self, data):
        sys.exit("bye")

    def interrupts(self, data):
        raise KeyboardInterrupt

    def leaves(self, data):
        os._exit(1)

    def aborts(self, data):
        os.abort()

    def eats(self, data):
        held = []
        while True:
            held.append(bytes(1 << 30))

    def recurses(self, data):
        return self.recurses(data)

    def asks(self, data):
        return input()

    def surrogate(self, data):
        return "half \\ud800 a pair"

    def nothing(self, data):
        pass
'''


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with running_lab(tmp_path_factory.mktemp("lab"), SOURCE) as lab:
        yield lab


# The wire contract

def test_a_string_is_the_answer(lab):
    answer = lab.post({"tableName": "ग्राहक", "emails": [], "browse": ""})
    assert (answer.status_code, answer.text) == (200, "got ग्राहक")
    assert answer.headers["Content-Type"].lower() == "text/plain; charset=utf-8"


@pytest.mark.parametrize("value", [{"rows": [[["n", "é"]]]}, [1, None, "x"], {}, []])
def test_a_dict_or_list_is_sent_as_json(lab, value):
    answer = lab.post({"do": "give", "value": value})
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/plain")
    assert json.loads(answer.text) == value


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_of_any_spelling(lab, kind):
    assert requests.post(lab.url, data=b'{"tableName": "t"}', headers={"Content-Type": kind}).text == "got t"


def test_async_execute(lab):
    assert lab.submit(do="later") == "later"


def test_options(lab):
    answer = requests.options(lab.url, headers={"Origin": "http://localhost:4200", "Access-Control-Request-Method": "POST"})
    assert answer.status_code == 204 and not answer.content
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:4200"
    assert "POST" in answer.headers["Access-Control-Allow-Methods"] and answer.headers["Access-Control-Allow-Headers"] == "Content-Type, X-Lab-Client"


def test_the_page(lab):
    answer = requests.get(lab.url)
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/html")
    assert "<lab-page" in answer.text or "<form" in answer.text  # the built page; before it was built, a form that needs no building
    assert not re.search(r"(?:src|href)\s*=\s*[\"']?(?:\w+:)?//", answer.text)


@pytest.mark.parametrize("accepted, ending", [("identity", ""), ("gzip", ".gz"), ("br, gzip", ".br")])
def test_the_files_of_the_page_are_whole(lab, accepted, ending):
    built = ROOT / "AngularApp" / "dist" / "browser"
    if not built.exists():
        pytest.skip("the page is not built; python3 lab.py test builds it")
    for file in [file for file in built.rglob("*.*") if file.suffix not in (".br", ".gz")]:
        answer = requests.get(f"{lab.url}/{file.relative_to(built).as_posix()}", headers={"Accept-Encoding": accepted}, stream=True)
        content = file.with_name(file.name + ending).read_bytes()
        assert answer.headers["Content-Length"] == str(len(content)) and answer.raw.read(decode_content=False) == content


# Errors

@pytest.mark.parametrize("body, said", [
    (b"", "not JSON"), (b"{", "not JSON"), (b"{'a': 1}", "line 1 column 2"), (b"\xff\xfe{}", "not JSON"), (b"[" * 100_000, "not JSON"),
    (b"[]", "JSON list"), (b"null", "object"), (b'"text"', "object"), (b"7", "object")])
def test_a_body_that_is_no_json_object(lab, body, said):
    answer = requests.post(lab.url, data=body, headers=JSON)
    assert answer.status_code == 400 and said in answer.text


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}])
def test_another_content_type(lab, headers):
    answer = requests.post(lab.url, data=b"{}", headers=headers)
    assert answer.status_code == 415 and "application/json" in answer.text


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_100_megabytes(lab, chunked):
    piece = b"x" * 1_000_000
    answer = requests.post(lab.url, data=(piece for _ in range(100)) if chunked else piece * 100, headers=JSON)
    assert answer.status_code == 413 and "too large" in answer.text
    assert lab.submit(tableName="still there") == "got still there"


def test_an_exception_has_the_learners_frames_only(lab):
    answer = lab.post({"do": "fails"})
    assert answer.status_code == 500 and answer.headers["Content-Type"].startswith("text/plain")
    assert re.findall(r'File "(.*?)", line \d+, in (\w+)', answer.text) == [(str(lab.tables), name) for name in ("execute", "fails", "deeper")]
    assert 'return {}["no such key"]' in answer.text and answer.text.rstrip().endswith("KeyError: 'no such key'")


@pytest.mark.parametrize("do, said", [("exits", "SystemExit: bye"), ("interrupts", "KeyboardInterrupt"), ("leaves", "SystemExit: os._exit(1)"), ("aborts", "SystemExit"), ("recurses", "RecursionError"), ("asks", "EOFError"),
                                      ("nothing", "execute returned nothing"), ("no_such_method", "AttributeError")])
def test_whatever_execute_raises_is_answered(lab, do, said):
    answer = lab.post({"do": do})
    assert answer.status_code == 500 and said in answer.text
    assert lab.submit(tableName="t") == "got t"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds a process's memory")
def test_memory_without_end_is_an_error(lab):
    answer = lab.post({"do": "eats"})
    assert answer.status_code == 500 and answer.text.rstrip().endswith("MemoryError") and "held.append" in answer.text
    assert lab.submit(tableName="t") == "got t"


def test_text_that_utf_8_does_not_have(lab):
    assert lab.submit(do="surrogate") == "half ? a pair"


def test_other_methods_and_paths(lab):
    assert requests.put(lab.url, data="{}", headers=JSON).status_code == 405
    assert requests.get(lab.url + "/nowhere").status_code == 404
    assert "<" not in requests.get(lab.url + "/nowhere").text


def test_a_client_that_goes_away(lab):
    with socket.create_connection(lab.url.removeprefix("http://").split(":")) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{")
    assert lab.submit(tableName="t") == "got t"


# Who may call

@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:3005", "127.0.0.1.evil.example", "lab-project"])
def test_a_rebound_name(lab, host):
    for answer in (requests.get(lab.url, headers={"Host": host}), requests.post(lab.url, json={}, headers={"Host": host})):
        assert answer.status_code == 403 and host in answer.text


@pytest.mark.parametrize("host", ["localhost", "localhost:3005", "127.0.0.1:99", "[::1]:3005", "LOCALHOST"])
def test_the_servers_own_names(lab, host):
    assert requests.post(lab.url, json={"tableName": "t"}, headers={"Host": host}).text == "got t"


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:9999", "https://localhost:4200", "http://localhost:4200.evil.example",
                                    "http://["])
def test_a_strangers_page(lab, origin):
    answer = requests.post(lab.url, json={}, headers={"Origin": origin})
    assert answer.status_code == 403 and "Access-Control-Allow-Origin" not in answer.headers


def test_pages_that_may(lab):
    for origin in ("http://localhost:4200", "http://127.0.0.1:4200"):
        for data in ({"tableName": "t"}, {"do": "fails"}):  # a page must be able to read errors too
            answer = requests.post(lab.url, json=data, headers={"Origin": origin})
            assert answer.status_code in (200, 500) and answer.headers["Access-Control-Allow-Origin"] == origin
    assert requests.post(lab.url, json={}, headers={"Origin": lab.url}).status_code == 200


@pytest.mark.parametrize("headers, welcome", [({}, True), ({"Origin": "http://localhost:4200"}, True), ({"Origin": "http://evil.example"}, False),
                                              ({"Host": "evil.example"}, False)])
def test_the_live_stream_checks_too(lab, headers, welcome):
    async def connect():
        connection = await websocket_connect(HTTPRequest(lab.url.replace("http", "ws", 1) + "/live", headers=headers))
        connection.close()
    if welcome:
        asyncio.run(connect())
    else:
        with pytest.raises(HTTPClientError, match="403"):
            asyncio.run(connect())


# At the same time

def test_eight_slow_requests_do_not_hold_up_a_ninth(lab):
    lab.live.events.queue.clear()
    with ThreadPoolExecutor(8) as pool:
        slow = [pool.submit(lab.submit, do="blocks" if n % 2 else "waits") for n in range(8)]
        for _ in slow:
            lab.live.wait("started")
        assert lab.submit(tableName="ninth") == "got ninth"
        assert lab.submit(do="later") == "later"
        assert not any(answer.done() for answer in slow)
        lab.submit(do="opens")
        assert sorted(answer.result() for answer in slow) == ["blocked"] * 4 + ["waited"] * 4


def test_requests_that_never_end_are_not_joined_by_more(tmp_path):
    with running_lab(tmp_path, SOURCE) as lab, ThreadPoolExecutor(64) as pool:
        slow = [pool.submit(lab.post, {"do": "waits"}) for _ in range(64)]
        for _ in slow:
            lab.live.wait("started")
        answer = lab.post({"do": "opens"})
        assert answer.status_code == 503 and "64 requests are at work" in answer.text
        lab.process.send_signal(signal.SIGINT)
        assert lab.process.wait(20) == 0
        assert all(isinstance(answer.exception(), requests.ConnectionError) for answer in slow)


# The live stream

def test_the_snapshot(lab):
    snapshot = LiveStream(lab.url).snapshot
    assert snapshot["version"] >= 1 and snapshot["operation"] == "second" and snapshot["engine"] == "up"
    assert snapshot["project"] == "lab-project" and snapshot["broken"] is None


def test_a_request_and_what_it_prints(lab):
    lab.live.events.queue.clear()
    lab.submit(do="prints")
    started = lab.live.wait("started")
    lines = [lab.live.wait("printed") for _ in range(3)]
    finished = lab.live.wait("finished")
    assert started["operation"] == "second" and started["version"] >= 1
    assert [event["line"] for event in lines] == ["one", "two halves", "no end"]
    assert {event["request"] for event in (started, *lines, finished)} == {started["request"]}
    assert finished["status"] == "done" and finished["ms"] > 0
    lab.post({"do": "fails"})
    assert lab.live.wait("finished")["status"] == "failed"


def test_lines_of_other_threads(lab):
    lab.live.events.queue.clear()
    lab.submit(do="prints_in_a_thread")
    assert lab.live.wait("printed")["line"] == "from a thread"


def test_a_save_is_told(lab):
    try:
        reloaded = lab.save(SOURCE.replace("got", "now"))
        assert reloaded["event"] == "reloaded" and reloaded["changed"] == {"added": [], "changed": ["my_bigquery_client.echo"], "removed": []}
        assert lab.submit(tableName="t") == "now t"
        broken = lab.save(SOURCE + "  what")
        assert broken["event"] == "broken" and broken["line"] == SOURCE.count("\n") + 1 and broken["file"] == str(lab.tables)
        assert LiveStream(lab.url).snapshot["broken"]["kind"] == "IndentationError"
        assert lab.submit(tableName="t") == "now t"
    finally:
        assert lab.save(SOURCE)["event"] == "reloaded"
    assert LiveStream(lab.url).snapshot["broken"] is None


# Start and end

def test_a_file_that_never_loaded(tmp_path):
    with running_lab(tmp_path, "import no_such_module\n") as lab:
        answer = lab.post()
        assert answer.status_code == 503 and "No module named 'no_such_module'" in answer.text and "line 1" in answer.text
        assert lab.live.snapshot["version"] is None and lab.live.snapshot["broken"]["line"] == 1
        assert lab.save(SOURCE)["event"] == "reloaded"
        assert lab.submit(tableName="t") == "got t"


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_everything(tmp_path, name):
    with running_lab(tmp_path, SOURCE) as lab:
        [engine] = children(lab.process.pid)
        threading.Thread(target=lambda: pytest.raises(requests.ConnectionError, lab.post, {"do": "waits"}), daemon=True).start()
        lab.live.wait("started")
        lab.process.send_signal(name)
        assert lab.process.wait(20) == 0
        wait_until_gone(engine)


def test_ctrl_c_while_it_starts(tmp_path):
    (tmp_path / "tables.py").write_text("print('loading', flush=True)\nwhile True: pass\n")
    process = start("--tables", str(tmp_path / "tables.py"), "--data-dir", str(tmp_path / "data"))
    assert process.stdout.readline() == "loading\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0


def test_kill_9_ends_the_engine(tmp_path):
    with running_lab(tmp_path, SOURCE) as lab:
        [engine] = children(lab.process.pid)
        lab.process.kill()
        lab.process.wait(20)
        wait_until_gone(engine)


def refusal(*flags: str, **env: str) -> str:
    process = start(*flags, env=env)
    _, errors = process.communicate(timeout=60)
    assert process.returncode not in (0, None) and "Traceback" not in errors, errors
    return errors


def test_a_port_in_use(tmp_path, lab):
    port = lab.url.rpartition(":")[2]
    said = refusal("--port", port, "--data-dir", str(tmp_path))
    assert said.count("\n") == 1 and port in said and "--port" in said


def test_a_data_dir_in_use(lab):
    assert "in use" in refusal("--data-dir", str(lab.tables.parent / "data"))


@pytest.mark.parametrize("flags", [["--port", "x"], ["--no-such-flag"], ["--port", "70000"], ["--tables", "/nowhere/tables.py"],
                                   ["--tables", str(ROOT)]])
def test_flags_that_make_no_sense(flags):
    assert flags[-1] in refusal(*flags)


def test_a_folder_of_packages_beside_the_server(tmp_path):
    """`pip install --target site-packages -r requirements.txt`, then a Python that has no packages of its own."""
    for name in ("tornado_server.py", "reloader.py", "reloading", "lab", "emulator"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, tmp_path / name)
    (tmp_path / "site-packages").symlink_to(sysconfig.get_path("purelib"))
    shutil.copy(ROOT / "tables.final.py", tmp_path / "tables.py")
    bare = os.path.realpath(sys.executable)
    if not subprocess.run([bare, "-c", "import tornado"], capture_output=True, cwd=tmp_path).returncode:
        pytest.skip("this Python has the packages itself")
    process = start(cwd=tmp_path, python=bare)
    try:
        url = ready_url(process)
        assert "Created" in requests.post(url, json={"tableName": "t"}).text
    finally:
        process.terminate()
        process.communicate(timeout=30)


# --cloud

CLOUD = '''
import os
from google.cloud import bigquery, storage

client = bigquery.Client()


class my_bigquery_client:
    env = {}

    def execute(self, data):
        return {"api": client._connection.API_BASE_URL, "project": client.project, "account": client._credentials.service_account_email,
                "storage": storage.Client()._connection.API_BASE_URL, "left": [name for name in os.environ if "EMULATOR_HOST" in name]}
'''


@pytest.fixture
def key_file(tmp_path, emulator):
    """A service account's key file as Google hands it out; the key is a throw-away one."""
    throw_away = json.loads(open(emulator["credentials"]).read())
    path = tmp_path / "key.json"
    path.write_text(json.dumps(throw_away | {"project_id": "my-own-project", "client_email": "me@my-own-project.iam.gserviceaccount.com",
                                             "token_uri": "https://oauth2.googleapis.com/token"}))
    return path


def test_the_cloud_is_the_real_one(tmp_path, key_file):
    """Nothing is sent to it here: the client is built, and asked where it would go."""
    env = {"GOOGLE_APPLICATION_CREDENTIALS": str(key_file), "BIGQUERY_EMULATOR_HOST": "http://127.0.0.1:9050",
           "STORAGE_EMULATOR_HOST": "http://127.0.0.1:9023"}
    with running_lab(tmp_path, CLOUD, "--cloud", env=env) as lab:
        assert json.loads(lab.submit()) == {"api": "https://bigquery.googleapis.com", "project": "my-own-project", "left": [],
                                            "account": "me@my-own-project.iam.gserviceaccount.com", "storage": "https://storage.googleapis.com"}
        assert children(lab.process.pid) == [] and lab.live.snapshot["engine"] == "cloud"


def test_the_cloud_with_a_project_of_choice(tmp_path, key_file):
    with running_lab(tmp_path, CLOUD, "--cloud", "--project", "another-project", env={"GOOGLE_APPLICATION_CREDENTIALS": str(key_file)}) as lab:
        assert json.loads(lab.submit())["project"] == "another-project"


def test_the_cloud_without_credentials(tmp_path):
    said = refusal("--cloud", HOME=str(tmp_path), NO_GCE_CHECK="true", CLOUDSDK_CONFIG=str(tmp_path))
    assert said.count("\n") == 1 and "gcloud auth application-default login" in said


def test_the_cloud_with_a_key_file_that_is_none(tmp_path):
    (tmp_path / "key.json").write_text("{")
    for path in ("key.json", "missing.json"):
        said = refusal("--cloud", GOOGLE_APPLICATION_CREDENTIALS=str(tmp_path / path))
        assert said.count("\n") == 1 and "GOOGLE_APPLICATION_CREDENTIALS" in said


def test_the_cloud_with_the_credentials_of_the_embedded_one(emulator):
    assert "embedded BigQuery" in refusal("--cloud", GOOGLE_APPLICATION_CREDENTIALS=emulator["credentials"])


def test_the_cloud_without_a_project(tmp_path, key_file):
    key = json.loads(key_file.read_text())
    user = {"type": "authorized_user", "client_id": "x", "client_secret": "x", "refresh_token": "x"}
    key_file.write_text(json.dumps(user))
    assert key["project_id"] and "--project" in refusal("--cloud", GOOGLE_APPLICATION_CREDENTIALS=str(key_file), HOME=str(tmp_path),
                                                         NO_GCE_CHECK="true", CLOUDSDK_CONFIG=str(tmp_path), PATH="")
