using System.CommandLine;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Admin;
using Spectre.Console;

namespace ProxyGateway.Operating.Importing;

/// <summary><c>proxygateway devices import</c></summary>
internal static class ImportCommand
{
    // Devices are written one at a time, on a slow disk ten a second; the gateway must answer in time.
    internal const int MaxDevices = 100;
    internal const int MaxBytes = 2 * 1024 * 1024;

    private const int MaxFileBytes = 256 * 1024 * 1024;

    private static readonly Argument<string> FileArgument = new("path")
    {
        Description = "An OpenClaw gateway's state folder (~/.openclaw), its devices/paired.json, its list of devices as JSON, or what devices export wrote",
    };

    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Only tell what would become of each device" };

    public static Command Build()
    {
        Command command = OperatorCommand.New("import", "Take over devices that were paired with an OpenClaw gateway, or exported", RunAsync, FileArgument);
        command.Add(DryRun);
        return command;
    }

    /// <summary>The devices in batches that the gateway accepts, in order.</summary>
    internal static IEnumerable<IReadOnlyList<ImportDeviceBody>> Chunks(IEnumerable<ImportDeviceBody> devices)
    {
        var chunk = new List<ImportDeviceBody>();
        int bytes = 0;
        foreach (ImportDeviceBody device in devices)
        {
            int size = JsonSerializer.SerializeToUtf8Bytes(device, AdminJson.Body<ImportDeviceBody>()).Length;
            if (chunk.Count > 0 && (chunk.Count == MaxDevices || bytes + size > MaxBytes))
            {
                yield return chunk;
                (chunk, bytes) = ([], 0);
            }

            chunk.Add(device);
            bytes += size;
        }

        if (chunk.Count > 0)
            yield return chunk;
    }

    private static async Task RunAsync(AdminClient client, ParseResult parsed, CancellationToken cancellationToken)
    {
        string path = Locate(parsed.GetRequiredValue(FileArgument));
        IReadOnlyList<ImportRow> rows = Read(path);
        bool dryRun = parsed.GetValue(DryRun);
        var outcomes = new Queue<ImportItemView>(await SendAsync(client, [.. rows.Select(r => r.Device).OfType<ImportDeviceBody>()], dryRun, cancellationToken));
        var report = ImportReport.Of(dryRun, [.. rows.Select(r => ImportReportItem.Of(r, r.Device is null ? null : outcomes.Dequeue()))]);

        OperatorCommand.Print(parsed, report, ClientJsonContext.Default.ImportReport, () => Write(report));
        if (report.Refused > 0)
            throw new CommandFailedException(ExitCodes.Refused, $"{report.Refused} of {report.Items.Count} devices {(dryRun ? "would not be" : "were not")} taken over");
    }

    private static async Task<List<ImportItemView>> SendAsync(
        AdminClient client, IReadOnlyList<ImportDeviceBody> devices, bool dryRun, CancellationToken cancellationToken)
    {
        var items = new List<ImportItemView>(devices.Count);
        try
        {
            foreach (IReadOnlyList<ImportDeviceBody> chunk in Chunks(devices))
            {
                ImportView view = await client.ChangeAsync(
                    HttpMethod.Post,
                    "admin/v1/devices/import",
                    AdminClient.Json(new ImportBody { DryRun = dryRun, Devices = chunk }, AdminJson.Body<ImportBody>()),
                    AdminJson.Answer<ImportView>(),
                    cancellationToken);
                if (view.DryRun != dryRun || view.Items.Count != chunk.Count)
                    throw new CommandFailedException(ExitCodes.Refused, "The gateway's answer is not one to this import");
                items.AddRange(view.Items);
                if (items.Count < devices.Count)
                    Progress.Tell("devices", items.Count, devices.Count);
            }
        }
        // a part may still have been imported
        catch (CommandFailedException e) when (!dryRun && (items.Count > 0 || e.ExitCode == ExitCodes.Unreachable))
        {
            throw new CommandFailedException(e.ExitCode, $"{e.Message}. {items.Count} of {devices.Count} devices were sent before; the same command, given again, completes it");
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested && !dryRun)
        {
            throw new CommandFailedException(ExitCodes.Refused, $"Stopped. {items.Count} of {devices.Count} devices were sent before; the same command, given again, completes it");
        }

        return items;
    }

    private static string Locate(string path)
    {
        if (File.Exists(path))
            return path;
        if (!Directory.Exists(path))
            throw new CommandFailedException(ExitCodes.Usage, $"There is no {path}");
        string[] candidates = [Path.Combine(path, "devices", "paired.json"), Path.Combine(path, "paired.json")];
        if (candidates.FirstOrDefault(File.Exists) is { } file)
            return file;
        string hint = File.Exists(Path.Combine(path, "state", "openclaw.sqlite"))
            ? "; this OpenClaw keeps devices in a database: give what `openclaw devices list --json` prints, in a file"
            : "";
        throw new CommandFailedException(ExitCodes.Usage, $"There is no devices/paired.json in {path}{hint}");
    }

    private static IReadOnlyList<ImportRow> Read(string path)
    {
        try
        {
            if (new FileInfo(path).Length > MaxFileBytes)
                throw new InvalidDataException("it is too long");
            return DeviceFile.Read(File.ReadAllBytes(path), TimeProvider.System.GetUtcNow());
        }
        catch (InvalidDataException e)
        {
            throw new CommandFailedException(ExitCodes.Usage, $"{path} is not a file with devices: {e.Message}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException(ExitCodes.Usage, $"{path} cannot be read: {e.Message}");
        }
    }

    private static void Write(ImportReport report)
    {
        if (report.Items.Count == 0)
        {
            Console.Out.WriteLine("No device is in it.");
            return;
        }

        Table table = Tables.New("DEVICE", "NAME", "MAY BE", report.DryRun ? "WOULD BE" : "OUTCOME");
        foreach (ImportReportItem item in report.Items)
        {
            table.AddTextRow(item.Id?.ToString()[..16] ?? $"row {item.Row}", item.Name ?? "-", Grants(item), item.Detail is null ? item.Outcome : $"{item.Outcome}: {item.Detail}");
            foreach (string note in item.Notes ?? [])
                table.AddTextRow("", "", "", "left behind: " + note);
        }

        Tables.Write(table);
        Console.Out.WriteLine($"{(report.DryRun ? "Nothing was changed. It would be" : "Done")}: {string.Join(", ", report.Outcomes.Select(o => $"{o.Value} {o.Key}"))}.");
    }

    private static string Grants(ImportReportItem item) => item switch
    {
        { Legacy: true } => "(no role on record)",
        { Grants: { } grants } => string.Join("; ", grants.Select(g => $"{g.Key}: {(g.Value.Scopes is null ? "(no scopes on record)" : Tables.Scopes(g.Value.Scopes))}")),
        _ => "-",
    };
}
