namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// A newer gateway wrote the device's document in a format that this version does not know. It may hold a restriction that this version
/// would ignore, so the device is not admitted here and its document is never replaced. Upgrade this gateway.
/// </summary>
/// <param name="document">The document.</param>
/// <param name="cause">The exception of reading it; null if there was none.</param>
public sealed class NewerDocumentException(NewerDocument document, Exception? cause = null) : UnreadableDocumentException(
    document?.Device ?? throw new ArgumentNullException(nameof(document)),
    $"The document of device {document.Device} has format {document.Format}, and this gateway reads formats up to {DeviceDocument.Format}. Upgrade this gateway.",
    cause)
{
    /// <summary>The document.</summary>
    public NewerDocument Document { get; } = document;
}
