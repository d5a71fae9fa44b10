namespace ProxyGateway.DeviceAuth.Files;

// The library for clients compiles the other part too, and keeps it to itself.
public static partial class PrivateFile;
