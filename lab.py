#!/usr/bin/env python3
"""Set up and start the lab, or test it, with nothing but Python on the machine.

    python3 lab.py [flags of tornado_server.py]    set up what is missing, then start the lab
    python3 lab.py test [arguments of pytest]      set up what is missing, then run every test

Both can be repeated, and interrupted at any point: what is done is not done again.
"""
# Written so that an old Python can read it, too, as far as the sentence that it is too old.
import hashlib
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "Scripts", "python.exe") if os.name == "nt" else os.path.join(VENV, "bin", "python")
CACHE = os.path.join(ROOT, ".cache")
NEEDED = (3, 11)


class Failed(Exception):
    """A step that did not work; the message is for the person who started it."""


class Step:
    """One line that tells what is done, how far it is and how long it took."""

    def __init__(self, title):
        self.title, self.began, self.shown = title, time.time(), ""
        self.terminal = sys.stdout.isatty()
        self.tell("")

    def tell(self, how_far, end=False):
        text = "{} ... {}".format(self.title, how_far) if how_far else "{} ...".format(self.title)
        if self.terminal:
            width = os.get_terminal_size().columns - 1
            sys.stdout.write("\r" + text[:width].ljust(min(len(self.shown), width)) + ("\n" if end else ""))
        elif end or not self.shown:
            sys.stdout.write(text + "\n")
        self.shown = text
        sys.stdout.flush()

    def progress(self, how_far):
        self.tell("{}, {:.0f} s".format(how_far, time.time() - self.began))

    def done(self):
        self.tell("done, {:.0f} s".format(time.time() - self.began), end=True)


def run(command, step, follow=lambda line: None):
    """Run a command, its output given line by line to `follow`; Failed with its last lines where it fails."""
    environment = dict(os.environ, PYTHONUNBUFFERED="1")
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
    lines = []
    try:
        for line in iter(process.stdout.readline, b""):
            lines.append(line.decode("utf-8", "replace").rstrip())
            how_far = follow(lines[-1])
            if how_far:
                step.progress(how_far)
    except BaseException:
        process.kill()
        raise
    finally:
        process.wait()
        process.stdout.close()
    if process.returncode:
        step.tell("failed", end=True)
        raise Failed(reason(lines))


def reason(lines):
    """What went wrong, in a sentence where the cause is known, else the command's last lines."""
    text = "\n".join(lines)
    if "No space left on device" in text or "Errno 28" in text:
        return "There is no space left on the disk. Free about 1 GB and start again."
    if re.search("NewConnectionError|Failed to establish|ConnectTimeout|Temporary failure in name|NameResolutionError|ConnectionError", text):
        return "The package index can't be reached. Check the network and start again; what was downloaded is kept."
    if "ensurepip is not" in text or "No module named venv" in text:
        return "This Python can't make virtual environments. Install its venv package (on Debian and Ubuntu: python3-venv) and start again."
    return "It failed with:\n" + "\n".join("    " + line for line in lines[-12:])


def fingerprint(*files):
    """A text that changes with the Python version and the content of files."""
    digest = hashlib.sha256(sys.version.encode())
    for name in files:
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def is_stamped(name, text):
    try:
        with open(os.path.join(VENV, name)) as file:
            return file.read() == text
    except OSError:
        return False


def stamp(name, text):
    with open(os.path.join(VENV, name), "w") as file:
        file.write(text)


def make_environment():
    """The virtual environment; made anew where it is half made or of another Python."""
    mark = fingerprint()
    if is_stamped("environment.stamp", mark) and os.path.exists(PYTHON):
        return
    step = Step("Making a virtual environment in .venv")
    run([sys.executable, "-m", "venv", "--clear", VENV], step)
    stamp("environment.stamp", mark)
    step.done()


def install(requirements, title):
    """Install the packages that a requirements file pins."""
    mark = fingerprint(requirements)
    name = requirements.replace("/", "-") + ".stamp"
    if is_stamped(name, mark):
        return
    step = Step(title)
    with open(os.path.join(ROOT, requirements)) as file:
        total = len([line for line in file if "==" in line])
    seen = []

    def follow(line):
        if line.startswith("Collecting "):
            seen.append(line)
            return "{} of {} packages".format(len(seen), total)
        if line.startswith("Installing collected"):
            return "unpacking"
        return None
    run([PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r", requirements], step, follow)
    stamp(name, mark)
    step.done()


def prepare_analyzer():
    """Google's SQL analyzer, compiled for this machine once."""
    mark = fingerprint("requirements.txt")
    if is_stamped("analyzer.stamp", mark) and os.path.isdir(CACHE):
        return
    step = Step("Compiling Google's SQL analyzer for this machine (once, up to a minute)")
    run([PYTHON, "-m", "emulator.googlesql", CACHE], step)
    stamp("analyzer.stamp", mark)
    step.done()


def set_up(testing):
    make_environment()
    install("requirements.txt", "Installing Python packages")
    if testing:
        install("tests/requirements.txt", "Installing the tests' packages")
    prepare_analyzer()


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


def main(arguments):
    if sys.version_info < NEEDED:
        sys.exit("The lab needs Python {}.{} or newer; this is {}.{}.".format(*(NEEDED + tuple(sys.version_info[:2]))))
    testing = arguments[:1] == ["test"]
    try:
        set_up(testing)
    except Failed as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. Start again to go on from here.")
    except OSError as error:
        sys.exit("There is no space left on the disk. Free about 1 GB and start again." if error.errno == 28
                 else "The lab can't be set up in {}: {}.".format(ROOT, error.strerror))
    if testing:
        become([PYTHON, "-m", "pytest", "tests"] + arguments[1:])
    become([PYTHON, os.path.join(ROOT, "tornado_server.py"), "--cache-dir", CACHE] + arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
