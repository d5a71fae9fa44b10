using Yarp.ReverseProxy.Transforms.Builder;

namespace ProxyGateway.DeviceAuth.Identity;

/// <summary>
/// Makes the gate's transforms known to YARP, and checks them. They have no place among the others of their route: <see cref="DeviceIdentityTransform"/> applies
/// them after all others.
/// </summary>
/// <param name="claimed">Which headers no client may send.</param>
internal sealed class BackendHeaderFactory(ClaimedHeaders claimed) : ITransformFactory
{
    /// <inheritdoc/>
    public bool Validate(TransformRouteValidationContext context, IReadOnlyDictionary<string, string> transformValues)
    {
        if (!BackendHeaderReader.IsOne(transformValues))
            return false;
        var errors = new List<string>();
        if (BackendHeaderReader.Read(transformValues, errors) is { } header)
        {
            if (IsSetTwice(header, context.Route.Transforms!))
                errors.Add($"The header \"{header.Name}\" is set by two transforms of the gate; allowed: one.");
            if (BackendHeaderReader.WhyNoSecret(header) is { } why)
                errors.Add(why);
        }

        foreach (string error in errors)
            context.Errors.Add(new InvalidOperationException(error));
        return true;
    }

    /// <inheritdoc/>
    public bool Build(TransformBuilderContext context, IReadOnlyDictionary<string, string> transformValues)
    {
        if (!BackendHeaderReader.IsOne(transformValues))
            return false;
        claimed.Add(context.Route);
        return true;
    }

    private static bool IsSetTwice(BackendHeader header, IReadOnlyList<IReadOnlyDictionary<string, string>> transforms) =>
        transforms.Where(BackendHeaderReader.IsOne).Count(t => HeaderSpelling.Lax.Equals(BackendHeaderReader.Read(t, [])?.Name, header.Name)) > 1;
}
