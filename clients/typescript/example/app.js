// A page that is a device: ?gateway=https://gate.example/agent, whose AllowedOrigins must have this page's origin.
import { DeviceClient, deviceIdOf, loadBrowserKey } from "../dist/index.js";

const show = (id, text) => (document.getElementById(id).textContent = text);
const gateway = new URLSearchParams(location.search).get("gateway") ?? "http://127.0.0.1:8080/";

const key = await loadBrowserKey();
show("device", await deviceIdOf(key));

const device = new DeviceClient({ gateway, key, client: { displayName: document.title, platform: "web" } });
try {
  // The first time this asks, and goes on by itself once an operator has approved.
  const answer = await device.waitUntilPaired(gateway, { onWaiting: (error) => show("request", error.message) });
  show("request", `${answer.status} ${await answer.text()}`);
  const socket = device.webSocket(gateway);
  socket.onopen = () => socket.send("hello");
  socket.onmessage = ({ data }) => show("socket", data);
  socket.onclose = ({ code, reason, refusal }) => show("socket", refusal?.message ?? `closed: ${code} ${reason}`);
} catch (error) {
  show("request", error.message);
}
