using QRCoder;

namespace ProxyGateway;

/// <summary>QR codes at a terminal, for a phone to read off the screen.</summary>
internal static class QrCode
{
    /// <summary>Prints the text as a QR code, two rows of it in a line of half blocks. Nothing where the output is no terminal.</summary>
    public static void Print(string text)
    {
        if (Console.IsOutputRedirected)
            return;
        using QRCodeData data = QRCodeGenerator.GenerateQrCode(text, QRCodeGenerator.ECCLevel.L);
        using var code = new AsciiQRCode(data);
        Console.Out.WriteLine(code.GetGraphicSmall(drawQuietZones: true));
    }
}
