"""A container engine's command line, and what the tests of the image and of the pods ask again."""

import json
import os
import shlex
import socket
import subprocess
import tempfile
import time
import unittest

ENGINE = shlex.split(os.environ["ENGINE"])
IS_PODMAN = ENGINE[0] == "podman"
IMAGE = os.environ["IMAGE"]
AGENT_IMAGE = os.environ["AGENT_IMAGE"]
REDIS_IMAGE = os.environ["REDIS_IMAGE"]
PROGRAM = os.environ["PROXYGATEWAY"]
USER = 1654
PATIENCE = int(os.environ.get("PROXYGATEWAY_TEST_PATIENCE") or 30)  # seconds


def run(*command, fails=False, text=None):
    """Runs a command to its end: its output, or what it complains of where it is to fail."""
    done = subprocess.run([str(part) for part in command], input=text, capture_output=True, text=True, timeout=PATIENCE * 2, check=False)
    if fails != (done.returncode != 0):
        raise AssertionError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stderr + done.stdout if fails else done.stdout.strip()


def engine(*arguments, **options):
    return run(*ENGINE, *arguments, **options)


def eventually(holds, what):
    """Waits until it holds; the first answer that is true."""
    end = time.monotonic() + PATIENCE
    last = None
    while time.monotonic() < end:
        try:
            if result := holds():
                return result
        except AssertionError as error:
            last = error
        time.sleep(0.1)
    raise AssertionError(f"not within {PATIENCE} s: {what}; {last}")


def is_open(address, port):
    try:
        with socket.create_connection((address, port), timeout=2):
            return True
    except OSError:
        return False


class Device:
    """A device outside of all containers, that connects by the command line."""

    def __init__(self, folder, name):
        self.identity = os.path.join(folder, name + ".json")

    def connect(self, port):
        done = subprocess.run(
            [PROGRAM, "connect", f"ws://127.0.0.1:{port}", "--json", "--identity", self.identity],
            capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=os.path.dirname(self.identity),
        )
        if not done.stdout:
            raise AssertionError(done.stderr)
        return json.loads(done.stdout)


class ContainerTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="proxygateway-containers-", dir="/var/tmp")
        self.addCleanup(run, "rm", "-rf", self.folder)
        self._left = []
        self.addCleanup(self._remove)

    def _remove(self):
        for name in self._left:
            subprocess.run([*ENGINE, "rm", "--force", "--volumes", name], capture_output=True, check=False, timeout=PATIENCE)

    def start(self, name, *arguments):
        """Starts a container; its name, which no other run has."""
        name = unique(name)
        self._left.append(name)
        engine("run", "--detach", "--name", name, *arguments)
        return name

    def file(self, name, content, mode=0o644, owner=0):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content if isinstance(content, str) else json.dumps(content))
        os.chmod(path, mode)
        os.chown(path, owner, owner)
        return path


def unique(name):
    return f"proxygateway-test-{os.getpid()}-{name}"


def inspect(name, template):
    return engine("inspect", "--format", template, name)


def address(name):
    return inspect(name, "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")


def published(name, port=8080):
    return int(engine("port", name, f"{port}/tcp").splitlines()[0].rsplit(":", 1)[1])


def operate(name, *arguments):
    """Runs an operator's command where operators are: inside."""
    return json.loads(engine("exec", name, "/app/proxygateway", *arguments, "--json"))
