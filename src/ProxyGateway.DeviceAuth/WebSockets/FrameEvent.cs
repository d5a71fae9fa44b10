namespace ProxyGateway.DeviceAuth.WebSockets;

/// <summary>What the reader found next.</summary>
internal enum FrameEvent
{
    /// <summary>Nothing whole yet.</summary>
    NeedsMore,

    /// <summary>A control frame: <see cref="MessageReader.ControlFrame"/>.</summary>
    Control,

    /// <summary>A text message: <see cref="MessageReader.Message"/>, and as it came, <see cref="MessageReader.MessageFrames"/>.</summary>
    Message,

    /// <summary>The stream breaks a rule: <see cref="MessageReader.Violation"/>.</summary>
    Violation,
}
