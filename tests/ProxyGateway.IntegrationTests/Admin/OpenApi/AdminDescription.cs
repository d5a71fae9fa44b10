using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Admin.OpenApi;

namespace ProxyGateway.IntegrationTests.Admin.OpenApi;

/// <summary>Turns the framework's data about the endpoints into a description from which a client can be generated.</summary>
internal static class AdminDescription
{
    public const string Version = "v1";

    private const string Security = "key";
    private const string Problem = "Problem";
    private const string ProblemJson = "application/problem+json";

    public static IServiceCollection AddAdminDescription(this IServiceCollection services)
    {
        services.ConfigureHttpJsonOptions(json =>
        {
            json.SerializerOptions.NumberHandling = JsonNumberHandling.Strict;
            json.SerializerOptions.TypeInfoResolverChain.Insert(0, AdminJsonContext.Default);
            json.SerializerOptions.TypeInfoResolverChain.Insert(1, AdminInputContext.Default);
        });
        return services.AddOpenApi(Version, options =>
        {
            options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
            options.CreateSchemaReferenceId = NameOf;
            options.AddSchemaTransformer((schema, context, _) => Complete(schema, context));
            options.AddOperationTransformer(DescribeAsync);
            options.AddDocumentTransformer((document, _, _) => Complete(document));
        });
    }

    private static string? NameOf(JsonTypeInfo type)
    {
        Type of = type.Type;
        if (of.IsGenericType && of.GetGenericTypeDefinition() == typeof(PageView<>))
            return Short(of.GetGenericArguments()[0].Name) + "Page";
        return OpenApiOptions.CreateDefaultSchemaReferenceId(type) is { } name ? Short(name) : null;
    }

    // The names of types end in View, Body or Description; readers of the description see them without these endings.
    private static string Short(string name)
    {
        if (name == nameof(AdminProblem))
            return Problem;
        foreach (string ending in new[] { "View", "Description" })
        {
            if (name.EndsWith(ending, StringComparison.Ordinal) && name.Length > ending.Length)
                return name[..^ending.Length];
        }

        return name;
    }

    private static Task Complete(OpenApiSchema schema, OpenApiSchemaTransformerContext context)
    {
        JsonTypeInfo type = context.JsonTypeInfo;
        AdminSchemas.Complete(schema, Nullable.GetUnderlyingType(type.Type) ?? type.Type);
        if (context.JsonPropertyInfo is { NumberHandling: { } handling } && handling.HasFlag(JsonNumberHandling.WriteAsString))
        {
            schema.Type = JsonSchemaType.String;
            schema.Format = null;
            schema.Pattern = AdminSchemas.LongNumber().Pattern;
        }

        if (type.Kind == JsonTypeInfoKind.Object && schema.Properties is { Count: > 0 } properties)
        {
            bool isInput = AdminInputContext.Default.GetTypeInfo(type.Type) is not null;
            schema.Required = type.Properties
                .Where(p => properties.ContainsKey(p.Name) && (isInput ? p.IsRequired : IsAlwaysThere(p)))
                .Select(p => p.Name)
                .ToHashSet();
            if (isInput)
                schema.AdditionalPropertiesAllowed = false;
        }

        return Task.CompletedTask;
    }

    private static bool IsAlwaysThere(JsonPropertyInfo property) =>
        property.AttributeProvider?.GetCustomAttributes(typeof(JsonIgnoreAttribute), inherit: true) is [JsonIgnoreAttribute ignore, ..]
            ? ignore.Condition == JsonIgnoreCondition.Never
            : !property.IsGetNullable;

    private static async Task DescribeAsync(
        OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancellationToken)
    {
        IList<object> metadata = context.Description.ActionDescriptor.EndpointMetadata;
        Parameters(operation, [.. metadata.OfType<TakenParameters>().SelectMany(t => t.Parameters)]);

        List<AdminProblem> problems = [.. metadata.OfType<PossibleProblems>().SelectMany(p => p.Problems)];
        if (!metadata.OfType<IAllowAnonymous>().Any())
        {
            operation.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(Security, context.Document)] = [] }];
            problems.AddRange([AdminProblems.Unauthorized, AdminProblems.TooManyRequests, AdminProblems.InternalError, AdminProblems.RegistryUnavailable]);
        }

        if (metadata.OfType<IAuthorizeData>().Any(a => a.Policy == AdminPolicies.Decide))
            problems.AddRange([AdminProblems.ViewerOnly, AdminProblems.NotConfirmed]);
        await FailuresAsync(operation, problems, context, cancellationToken);

        if (metadata.OfType<VersionedAnswer>().Any())
        {
            foreach (OpenApiResponse answer in operation.Responses!.Where(r => r.Key[0] == '2').Select(r => r.Value).OfType<OpenApiResponse>())
                answer.Headers = Header("ETag", "The version, for If-Match.", AdminSchemas.Text("^\"[^\"]+\"$"));
        }
    }

    private static void Parameters(OpenApiOperation operation, List<AdminParameter> taken)
    {
        operation.Parameters ??= [];
        foreach (AdminParameter parameter in taken)
        {
            ParameterLocation location = Enum.Parse<ParameterLocation>(parameter.In, ignoreCase: true);
            bool isPath = location == ParameterLocation.Path;
            IOpenApiParameter? found = operation.Parameters.FirstOrDefault(p => p.In == location && p.Name == parameter.Name);
            if (isPath && found is null) // a path of the group without it
                continue;
            if (found is not null)
                operation.Parameters.Remove(found);
            operation.Parameters.Add(new OpenApiParameter
            {
                Name = parameter.Name,
                In = location,
                Required = isPath,
                Description = parameter.Description,
                Schema = ParameterSchemas.Of(parameter),
            });
        }
    }

    private static async Task FailuresAsync(
        OpenApiOperation operation, List<AdminProblem> problems, OpenApiOperationTransformerContext context, CancellationToken cancellationToken)
    {
        OpenApiDocument document = context.Document!;
        if (problems.Count > 0 && document.Components?.Schemas?.ContainsKey(Problem) != true)
            document.AddComponent(Problem, await context.GetOrCreateSchemaAsync(typeof(AdminProblem), cancellationToken: cancellationToken));
        operation.Responses ??= [];
        foreach (IGrouping<int, AdminProblem> status in problems.GroupBy(p => p.Status).OrderBy(g => g.Key))
        {
            var response = new OpenApiResponse
            {
                Description = string.Join("\n", status.DistinctBy(p => (p.Type, p.Detail)).Select(p => $"- `{p.Name}`: {p.Detail ?? p.Title}")),
                Content = new Dictionary<string, OpenApiMediaType>
                {
                    [ProblemJson] = new OpenApiMediaType { Schema = new OpenApiSchemaReference(Problem, document) },
                },
            };
            if (status.Key is 429 or 503)
                response.Headers = Header("Retry-After", "After how many seconds to try again.", AdminSchemas.Number(1, int.MaxValue));
            operation.Responses[$"{status.Key}"] = response;
        }
    }

    private static Dictionary<string, IOpenApiHeader> Header(string name, string description, OpenApiSchema schema) =>
        new() { [name] = new OpenApiHeader { Description = description, Schema = schema } };

    private static Task Complete(OpenApiDocument document)
    {
        document.Info = new OpenApiInfo
        {
            Title = "ProxyGateway, for operators",
            Version = Version,
            Description = "What waits for an operator, who is in, what happened. Members of JSON objects that have nothing to say are absent, not null. "
                + "A client ignores members, enumerated values and events that it does not know.",
        };
        document.Servers = [new OpenApiServer { Url = "/" }];
        document.AddComponent<IOpenApiSecurityScheme>(Security, new OpenApiSecurityScheme
        {
            Type = SecuritySchemeType.Http,
            Scheme = "bearer",
            Description = "An operator's key.",
        });
        Comment(document.Components!.Schemas!["Me"], typeof(MeView));
        Comment(document.Components.Schemas[Problem], typeof(AdminProblem));
        foreach (OpenApiSchema schema in document.Components.Schemas.Values.OfType<OpenApiSchema>())
        {
            NothingIsNullThatMayBeAbsent(schema);
            if (schema.Enum is { Count: > 0 } values)
            {
                schema.Type = JsonSchemaType.String;
                schema.Enum = [.. values.Where(v => v?.GetValueKind() == JsonValueKind.String)];
            }
        }

        return Task.CompletedTask;
    }

    private static void Comment(IOpenApiSchema schema, Type record)
    {
        var comments = new DocComments(record);
        schema.Description = comments.Summary;
        foreach ((string name, IOpenApiSchema property) in schema.Properties!)
            property.Description = comments.OfMember(name);
    }

    private static void NothingIsNullThatMayBeAbsent(OpenApiSchema schema)
    {
        foreach ((string name, IOpenApiSchema property) in schema.Properties?.ToArray() ?? [])
        {
            if (schema.Required?.Contains(name) == true || property is not OpenApiSchema inline)
                continue;
            if (inline.OneOf is [OpenApiSchema { Type: JsonSchemaType.Null }, { } only])
                schema.Properties![name] = only;
            else
                inline.Type &= ~JsonSchemaType.Null;
        }
    }
}
