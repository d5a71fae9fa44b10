namespace ProxyGateway.DeviceAuth.Limits;

/// <summary>One of the budgets that a client takes from.</summary>
/// <param name="Name">Whose budget it is.</param>
/// <param name="Multiple">How many times as much it holds as the limit for one address.</param>
internal readonly record struct ClientKey(string Name, int Multiple);
