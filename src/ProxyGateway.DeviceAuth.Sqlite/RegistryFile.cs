using System.Collections.Immutable;
using System.Globalization;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Sqlite;

/// <summary>The file, its folder, its lock and its schema.</summary>
internal sealed class RegistryFile : IDisposable
{
    // The step from each version of the schema to the next; the first from an empty file.
    private static readonly ImmutableArray<string> Migrations =
    [
        """
        CREATE TABLE devices (
            id TEXT NOT NULL PRIMARY KEY,
            version TEXT NOT NULL,
            paired INTEGER NOT NULL,
            expires_at INTEGER, -- Unix time in milliseconds, as all times here; NULL: never
            document BLOB NOT NULL
        ) STRICT;
        CREATE INDEX devices_paired ON devices (id) WHERE paired = 1;
        CREATE INDEX devices_expiry ON devices (expires_at) WHERE expires_at IS NOT NULL;

        CREATE TABLE requests (
            id TEXT NOT NULL PRIMARY KEY,
            device TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
            address TEXT,
            open_until INTEGER -- NULL once resolved
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX requests_device ON requests (device);
        CREATE INDEX requests_open ON requests (open_until) WHERE open_until IS NOT NULL;
        CREATE INDEX requests_address ON requests (address, open_until) WHERE open_until IS NOT NULL;
        """,
        """
        ALTER TABLE devices ADD COLUMN seen_at INTEGER; -- NULL: never, or nothing is approved

        CREATE TABLE audit (
            id INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice, whatever is deleted
            source INTEGER NOT NULL,
            kind TEXT NOT NULL,
            device TEXT,
            operator TEXT,
            entry BLOB NOT NULL
        ) STRICT;
        CREATE INDEX audit_source ON audit (source, id);

        CREATE TABLE audit_dropped (
            source INTEGER NOT NULL PRIMARY KEY,
            id INTEGER NOT NULL -- of the newest entry that is no longer kept
        ) STRICT;
        """,
        """
        CREATE TABLE keyed_devices (
            key INTEGER PRIMARY KEY, -- DeviceKey: a document is found in the table's own tree, without the one of ids
            id TEXT NOT NULL UNIQUE,
            version TEXT NOT NULL,
            paired INTEGER NOT NULL,
            expires_at INTEGER,
            seen_at INTEGER,
            document BLOB NOT NULL
        ) STRICT;
        INSERT INTO keyed_devices SELECT device_key(id), id, version, paired, expires_at, seen_at, document FROM devices;
        DROP TABLE devices;
        ALTER TABLE keyed_devices RENAME TO devices;
        CREATE INDEX devices_paired ON devices (id) WHERE paired = 1;
        CREATE INDEX devices_expiry ON devices (expires_at) WHERE expires_at IS NOT NULL;
        """,
        """
        ALTER TABLE requests ADD COLUMN subnet TEXT;
        ALTER TABLE requests ADD COLUMN strangers INTEGER; -- the locality; NULL: loopback, or an operator has approved the device
        CREATE INDEX requests_subnet ON requests (subnet, open_until) WHERE open_until IS NOT NULL;
        CREATE INDEX requests_strangers ON requests (strangers, open_until) WHERE open_until IS NOT NULL;
        """,
        """
        CREATE INDEX audit_kind ON audit (kind);
        CREATE INDEX audit_device ON audit (device) WHERE device IS NOT NULL;
        CREATE INDEX audit_operator ON audit (operator) WHERE operator IS NOT NULL;

        CREATE TABLE audit_kept (
            source INTEGER NOT NULL PRIMARY KEY,
            entries INTEGER NOT NULL,
            bytes INTEGER NOT NULL -- of their documents
        ) STRICT;
        INSERT INTO audit_kept SELECT source, count(*), sum(length(entry)) FROM audit GROUP BY source;
        """,
        """
        ALTER TABLE devices ADD COLUMN by_rules INTEGER NOT NULL DEFAULT 0; -- paired, and no operator has approved anything
        UPDATE devices SET by_rules = 1 WHERE paired = 1 AND is_by_rules(id, version, document);
        CREATE INDEX devices_by_rules ON devices (by_rules) WHERE by_rules = 1;

        CREATE TABLE rule_pairings ( -- within the hour
            rule TEXT NOT NULL,
            device TEXT NOT NULL,
            at INTEGER NOT NULL,
            PRIMARY KEY (rule, device)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX rule_pairings_at ON rule_pairings (at);
        """,
        """
        CREATE TABLE IF NOT EXISTS shared_documents (
            collection TEXT NOT NULL,
            name TEXT NOT NULL,
            version TEXT NOT NULL,
            expires_at INTEGER NOT NULL,
            content BLOB NOT NULL,
            PRIMARY KEY (collection, name)
        ) STRICT, WITHOUT ROWID;
        """,
    ];

    private readonly string _path;
    private readonly FileStream _lock;

    private RegistryFile(string path, FileStream fileLock)
    {
        _path = path;
        _lock = fileLock;
    }

    /// <summary>Locks the file for this process and updates its schema.</summary>
    /// <exception cref="RegistryUnavailableException">
    /// In use, not writable, another user's, not a registry, or of a newer version; the message names the file.
    /// </exception>
    public static RegistryFile Open(string path, ILogger logger)
    {
        path = Path.GetFullPath(path);
        RegistryFile? file = null;
        try
        {
            if (new FileInfo(path).LinkTarget is not null)
                // the folder that is checked is the one with the file
                path = File.ResolveLinkTarget(path, returnFinalTarget: true)!.FullName;
            MakeFolder(Path.GetDirectoryName(path)!);
            RegistryPermissions.CheckFolder(path);
            file = new RegistryFile(path, Lock(path));
            RegistryPermissions.CloseFiles(path, logger);
            using (OpenPrivately(path, FileMode.OpenOrCreate, FileShare.ReadWrite))
            {
                // SQLite gives its companion files the mode of this one.
            }

            using SqliteConnection connection = file.Connect();
            Migrate(connection, path);
            return file;
        }
        catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException or RegistryUnavailableException)
        {
            file?.Dispose();
            throw e as RegistryUnavailableException ?? new RegistryUnavailableException($"The registry {path} cannot be opened: {e.Message}", e);
        }
    }

    /// <summary>A new connection, set up.</summary>
    public SqliteConnection Connect()
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = _path,
            Mode = SqliteOpenMode.ReadWrite,
            Pooling = false, // readers are kept with their prepared statements
            ForeignKeys = true,
        }.ToString());
        connection.Open();

        // FULL: a commit is on disk before it is acknowledged; WAL alone only promises that the file stays consistent. Memory-mapped, since
        // a large file is then read about as fast as a small one. If its disk fails, the process ends.
        connection.Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF; PRAGMA mmap_size = 2147418112;");
        return connection;
    }

    /// <summary>A new connection for writes that need not be on disk at once: they do not delay writes that must be.</summary>
    public SqliteConnection ConnectUnsynced()
    {
        SqliteConnection connection = Connect();
        connection.Execute("PRAGMA synchronous = NORMAL");
        return connection;
    }

    public void Dispose() => _lock.Dispose();

    private static void Migrate(SqliteConnection connection, string path)
    {
        connection.CreateFunction("device_key", (string id) => DeviceId.TryParse(id, out DeviceId device) ? DeviceKey.Of(device) : (long?)null, isDeterministic: true);
        connection.CreateFunction("is_by_rules", (string id, string version, byte[] document) => IsByRulesAlone(id, version, document), isDeterministic: true);
        connection.Execute("PRAGMA foreign_keys = OFF"); // replacing a table deletes nothing in others
        using SqliteTransaction transaction = connection.BeginTransaction(deferred: false);
        using SqliteCommand read = connection.CreateCommand();
        read.Transaction = transaction;
        read.CommandText = "PRAGMA user_version";
        long version = (long)read.ExecuteScalar()!;
        if (version > Migrations.Length)
        {
            throw new RegistryUnavailableException(
                $"The registry {path} was written by a newer ProxyGateway (schema {version}; this one knows {Migrations.Length}). Run that version, or start with another file.");
        }

        foreach (string migration in Migrations.Skip((int)version))
            connection.Execute(migration, transaction);
        connection.Execute(string.Create(CultureInfo.InvariantCulture, $"PRAGMA user_version = {Migrations.Length}"), transaction);
        transaction.Commit();
    }

    private static bool IsByRulesAlone(string id, string version, byte[] document)
    {
        try
        {
            return DeviceId.TryParse(id, out DeviceId device) && DeviceDocument.Deserialize(document, device, version).IsByRulesAlone;
        }
        catch (UnreadableDocumentException)
        {
            return false; // it is not admitted either
        }
    }

    // With SQLite's own locks alone a second process could write between two transactions. FileShare.None is flock(2) on Unix.
    private static FileStream Lock(string path)
    {
        try
        {
            return OpenPrivately(path + ".lock", FileMode.OpenOrCreate, FileShare.None);
        }
        catch (IOException e) when (e is not (FileNotFoundException or DirectoryNotFoundException))
        {
            throw new RegistryUnavailableException(
                $"The registry {path} is in use by another process ({path}.lock is locked). A file serves one gateway; use Redis for more.", e);
        }
    }

    private static FileStream OpenPrivately(string path, FileMode mode, FileShare share)
    {
        var options = new FileStreamOptions { Mode = mode, Access = FileAccess.ReadWrite, Share = share, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        return new FileStream(path, options);
    }

    private static void MakeFolder(string path)
    {
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(path);
        else
            Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }
}
