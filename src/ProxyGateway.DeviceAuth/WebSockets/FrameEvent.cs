namespace ProxyGateway.DeviceAuth.WebSockets;

/// <summary>The next result of the reader.</summary>
internal enum FrameEvent
{
    /// <summary>No whole frame or message yet.</summary>
    NeedsMore,

    /// <summary>A control frame: <see cref="MessageReader.ControlFrame"/>.</summary>
    Control,

    /// <summary>A text message: <see cref="MessageReader.Message"/>, and unchanged, <see cref="MessageReader.MessageFrames"/>.</summary>
    Message,

    /// <summary>The stream violates a rule: <see cref="MessageReader.Violation"/>.</summary>
    Violation,
}
