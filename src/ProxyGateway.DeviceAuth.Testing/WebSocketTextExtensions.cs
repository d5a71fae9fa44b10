using System.Net.WebSockets;
using System.Text;

namespace ProxyGateway.DeviceAuth.Testing;

/// <summary>Whole text messages over a WebSocket.</summary>
public static class WebSocketTextExtensions
{
    private const int MaxMessageBytes = 16 * 1024 * 1024;

    /// <summary>Sends a text message.</summary>
    /// <param name="socket">The connection.</param>
    /// <param name="text">The message.</param>
    /// <param name="cancellationToken">Cancels the operation, and aborts the connection.</param>
    /// <exception cref="WebSocketException">The connection is lost.</exception>
    public static Task SendTextAsync(this WebSocket socket, string text, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(socket);
        return socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, cancellationToken);
    }

    /// <summary>
    /// The next text message; null once the other side has closed. Its close frame is answered; <see cref="WebSocket.CloseStatus"/> and
    /// <see cref="WebSocket.CloseStatusDescription"/> have its content.
    /// </summary>
    /// <param name="socket">The connection.</param>
    /// <param name="cancellationToken">Cancels the operation, and aborts the connection.</param>
    /// <exception cref="WebSocketException">The connection is lost.</exception>
    /// <exception cref="InvalidDataException">The message is not text, or is longer than 16 MiB.</exception>
    public static async Task<string?> ReceiveTextAsync(this WebSocket socket, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(socket);
        using var message = new MemoryStream();
        byte[] buffer = new byte[16 * 1024];
        while (true)
        {
            WebSocketReceiveResult received = await socket.ReceiveAsync(buffer, cancellationToken);
            if (received.MessageType == WebSocketMessageType.Close)
            {
                if (socket.State == WebSocketState.CloseReceived)
                    await socket.CloseOutputAsync(socket.CloseStatus ?? WebSocketCloseStatus.Empty, socket.CloseStatusDescription, cancellationToken);
                return null;
            }

            message.Write(buffer, 0, received.Count);
            if (received.MessageType != WebSocketMessageType.Text || message.Length > MaxMessageBytes)
                throw new InvalidDataException("The message is not text, or is longer than 16 MiB.");
            if (received.EndOfMessage)
                return Encoding.UTF8.GetString(message.GetBuffer(), 0, (int)message.Length);
        }
    }
}
