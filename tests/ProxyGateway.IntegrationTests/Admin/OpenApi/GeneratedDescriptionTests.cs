using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;

namespace ProxyGateway.IntegrationTests.Admin.OpenApi;

/// <summary>The description that is shipped is what the framework says of the endpoints.</summary>
public sealed class GeneratedDescriptionTests
{
    [Fact]
    public async Task The_description_is_that_of_the_endpoints()
    {
        await using TestAdmin admin = await TestAdmin.StartAsync(configure: services => services.AddAdminDescription());
        OpenApiDocument document = await admin.Services.GetRequiredKeyedService<IOpenApiDocumentProvider>(AdminDescription.Version).GetOpenApiDocumentAsync();
        string generated = await document.SerializeAsJsonAsync(OpenApiSpecVersion.OpenApi3_1);

        string shipped = (await admin.GetAsync("/openapi/v1.json", key: null)).Text;

        if (shipped == generated)
            return;
        string file = Path.Combine(Root(), "artifacts", "openapi", "v1.json");
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        await File.WriteAllTextAsync(file, generated);
        Assert.Fail($"The endpoints' description has changed: compare {file} with src/ProxyGateway.DeviceAuth.Admin/OpenApi/v1.json, and copy it there.");
    }

    private static string Root([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "..", ".."));
}
