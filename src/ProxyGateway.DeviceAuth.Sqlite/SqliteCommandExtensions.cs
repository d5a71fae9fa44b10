using Microsoft.Data.Sqlite;

namespace ProxyGateway.DeviceAuth.Sqlite;

internal static class SqliteCommandExtensions
{
    /// <summary>A prepared statement that lives as long as its connection.</summary>
    public static SqliteCommand Prepare(this SqliteConnection connection, string sql, params ReadOnlySpan<string> parameters)
    {
        SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (string parameter in parameters)
        {
            command.Parameters.AddWithValue(parameter, DBNull.Value);
        }

        command.Prepare();
        return command;
    }

    public static void Execute(this SqliteConnection connection, string sql, SqliteTransaction? transaction = null)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.Transaction = transaction;
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    public static SqliteCommand Set(this SqliteCommand command, string parameter, object? value)
    {
        SqliteParameter target = command.Parameters[parameter];
        target.ResetSqliteType(); // or the type of the previous value stays
        target.Value = value ?? DBNull.Value;
        return command;
    }

    public static SqliteCommand In(this SqliteCommand command, SqliteTransaction transaction)
    {
        command.Transaction = transaction;
        return command;
    }
}
