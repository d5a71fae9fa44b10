"""The image, with a Redis and an agent in containers of their own."""

import asyncio
import json
import subprocess
import unittest

from websockets.exceptions import ConnectionClosed

from containers import AGENT_IMAGE, ENGINE, IMAGE, IS_PODMAN, PATIENCE, REDIS_IMAGE, USER, ContainerTest, Device, address, engine, eventually, inspect, is_open, operate, published, run, unique
from proxygateway_device_auth import Device as ProvingDevice
from proxygateway_device_auth import generate_key
from proxygateway_device_auth.websockets_client import connect

MOST_BYTES = 60_000_000
PASSWORD = "redis-password-7f0c1e"
HARDENED = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", *(["--read-only-tmpfs=false"] if IS_PODMAN else [])]


def is_healthy(name):
    """Docker runs the check by itself; podman needs systemd for that, and otherwise runs it when it is asked."""
    if IS_PODMAN:
        return subprocess.run([*ENGINE, "healthcheck", "run", name], capture_output=True, timeout=PATIENCE, check=False).returncode == 0
    return inspect(name, "{{.State.Health.Status}}") == "healthy"


class ImageTests(ContainerTest):
    def settings(self, agent, handshake="ConnectFrame"):
        return {
            "Urls": "http://127.0.0.1:8080",
            "ReverseProxy": {
                "Routes": {"agent": {"ClusterId": "agent", "Match": {"Path": "/{**path}"}, "Metadata": {"DeviceAuth": handshake}}},
                "Clusters": {"agent": {"Destinations": {"local": {"Address": f"http://{agent}:18789"}}}},
            },
            "DeviceAuth": {"DrainTime": "00:00:01"},
        }

    def agent(self):
        return address(self.start("agent", AGENT_IMAGE, "--urls", "http://0.0.0.0:18789"))

    def gateway(self, settings, *arguments, name="gateway"):
        """A gateway that is as closed as it can be: it writes to its volume alone."""
        name = self.start(
            name, *HARDENED, "--publish", "127.0.0.1::8080", "--volume", f"{self.file('appsettings.json', settings)}:/gateway/appsettings.json:ro", *arguments, IMAGE
        )
        eventually(lambda: is_healthy(name), "the gateway is healthy: " + engine("logs", name))
        return name

    def approve(self, gateway, refused):
        operate(gateway, "requests", "approve", refused["requestId"])

    def test_the_image_is_small_and_has_no_shell_no_secret_and_no_root(self):
        [image] = json.loads(engine("image", "inspect", IMAGE))
        self.assertLess(image["Size"], MOST_BYTES)
        self.assertEqual(image["Config"]["User"], f"{USER}:{USER}")
        self.assertEqual(
            {name.split("=")[0] for name in image["Config"]["Env"]} - {"PATH", "APP_UID", "DOTNET_VERSION", "ASPNETCORE_HTTP_PORTS", "DOTNET_RUNNING_IN_CONTAINER"},
            {"Urls", "PROXYGATEWAY_ADMIN_URL", "PROXYGATEWAY_KEY_FILE"},
        )
        for shell in ("/bin/sh", "/bin/bash", "/usr/bin/sh", "/bin/busybox"):
            self.assertRegex(engine("run", "--rm", "--entrypoint", shell, IMAGE, "-c", "true", fails=True), "(?i)no such file|not found")
        name = self.start("files", IMAGE, "--version")
        listing = run("sh", "-c", f"{' '.join(ENGINE)} export {name} | tar --list --verbose --numeric-owner")
        own = [line.split()[5] for line in listing.splitlines() if line.split()[1] != "0/0"]
        self.assertEqual({path.split("/")[0] + "/" + path.split("/")[1] for path in own}, {"gateway/data"}, "the user of the gateway owns its data alone")
        self.assertFalse([line for line in listing.splitlines() if line[0] == "-" and "s" in line[:10]], "no program gives its caller rights of its owner")

    def test_a_gateway_without_a_configuration_says_so(self):
        self.assertIn("ReverseProxy:Routes: is empty", engine("run", "--rm", IMAGE, fails=True))

    def test_devices_pair_by_an_operator_inside_and_stay_paired_over_a_restart_and_without_Redis_the_gateway_is_not_healthy(self):
        server = self.start("redis", REDIS_IMAGE, "--requirepass", PASSWORD, "--save", "", "--appendonly", "yes")
        redis = {"Registry": {"Provider": "Redis", "Redis": {"Configuration": f"{address(server)}:6379,password={PASSWORD}", "Timeout": "00:00:05"}}}
        secret = ("--volume", f"{self.file('appsettings.Production.json', redis, mode=0o400, owner=USER)}:/gateway/appsettings.Production.json:ro")
        settings = self.settings(self.agent())
        gateway = self.gateway(settings, *secret)
        device = Device(self.folder, "device")

        refused = device.connect(published(gateway))
        self.assertFalse(refused["admitted"], "what comes through the published port is not loopback")
        self.approve(gateway, refused)
        self.assertTrue(device.connect(published(gateway))["admitted"])

        engine("restart", "--time", "20", gateway)
        eventually(lambda: is_healthy(gateway), "it is healthy again")
        self.assertTrue(device.connect(published(gateway))["admitted"])

        engine("stop", "--time", "1", server)
        eventually(lambda: not is_healthy(gateway), "it is not healthy without its registry")
        engine("start", server)
        if address(server) in redis["Registry"]["Redis"]["Configuration"]: # an engine may give it another
            eventually(lambda: is_healthy(gateway), "it is healthy again")

        for what in (engine("logs", gateway), engine("inspect", gateway), engine("image", "inspect", IMAGE)):
            self.assertNotIn(PASSWORD, what)

    def test_the_volume_keeps_the_registry_and_the_operators_key(self):
        settings = self.settings(self.agent())
        volume = ("--volume", f"{unique('data')}:/gateway/data")
        self.addCleanup(subprocess.run, [*ENGINE, "volume", "rm", "--force", unique("data")], capture_output=True, check=False, timeout=PATIENCE)
        first = self.gateway(settings, *volume, name="first")
        device = Device(self.folder, "device")
        self.approve(first, device.connect(published(first)))
        engine("cp", f"{first}:/gateway/data/admin.key", f"{self.folder}/first.key")
        engine("rm", "--force", "--time", "20", first)

        second = self.gateway(settings, *volume, name="second")

        self.assertTrue(device.connect(published(second))["admitted"])
        engine("cp", f"{second}:/gateway/data/admin.key", f"{self.folder}/second.key")
        run("cmp", f"{self.folder}/first.key", f"{self.folder}/second.key")

    def test_operators_are_not_served_outside(self):
        gateway = self.gateway(self.settings("127.0.0.1"))
        engine("exec", gateway, "/app/proxygateway", "health", "--admin-url", "http://127.0.0.1:9090")
        self.assertTrue(is_open(address(gateway), 8080))
        self.assertFalse(is_open(address(gateway), 9090))

    def test_SIGTERM_tells_the_client_of_an_open_WebSocket_and_ends_with_0(self):
        gateway = self.gateway(self.settings(self.agent(), handshake="Proof"))
        port = published(gateway)
        device = ProvingDevice(f"http://127.0.0.1:{port}", generate_key("Ed25519"))

        async def drained():
            try:
                await connect(device, f"ws://127.0.0.1:{port}/")
            except Exception as pairing:  # noqa: BLE001
                self.approve(gateway, {"requestId": pairing.request_id})
            socket = await connect(device, f"ws://127.0.0.1:{port}/")
            self.assertIn("connect.challenge", await socket.recv(), "the agent is reached")
            stopping = asyncio.create_task(asyncio.to_thread(engine, "stop", "--time", str(PATIENCE), gateway))
            with self.assertRaises(ConnectionClosed) as closed:
                await asyncio.wait_for(socket.recv(), PATIENCE)
            await stopping
            return closed.exception

        closed = asyncio.run(drained())
        self.assertEqual((closed.rcvd.code, closed.rcvd.reason), (1012, "gateway restarting"))
        self.assertEqual(inspect(gateway, "{{.State.ExitCode}}"), "0")


if __name__ == "__main__":
    unittest.main()
