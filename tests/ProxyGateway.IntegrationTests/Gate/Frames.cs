using System.Text.Json.Nodes;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>The parts of a <c>connect</c> request, for tests that tamper with them.</summary>
internal static class Frames
{
    public static JsonObject Params(this JsonObject frame) => frame["params"]!.AsObject();

    public static JsonObject Client(this JsonObject frame) => frame.Params()["client"]!.AsObject();

    public static JsonObject Device(this JsonObject frame) => frame.Params()["device"]!.AsObject();
}
