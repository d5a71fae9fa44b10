using StackExchange.Redis;

// The least that nginx's auth_request can ask: whether a key is in Redis. It verifies no proof.
//   RedisAuth --urls http://127.0.0.1:0 --redis 127.0.0.1:6379
WebApplicationBuilder builder = WebApplication.CreateBuilder(args);
string redis = builder.Configuration["redis"] ?? throw new InvalidOperationException("--redis is missing");
builder.Logging.SetMinimumLevel(LogLevel.Warning).AddFilter("Microsoft.Hosting.Lifetime", LogLevel.Information);
IDatabase database = (await ConnectionMultiplexer.ConnectAsync(redis)).GetDatabase();
await database.StringSetAsync("device", "let in");

WebApplication app = builder.Build();
app.Run(async context => context.Response.StatusCode = await database.KeyExistsAsync("device") ? StatusCodes.Status204NoContent : StatusCodes.Status403Forbidden);
await app.RunAsync();
