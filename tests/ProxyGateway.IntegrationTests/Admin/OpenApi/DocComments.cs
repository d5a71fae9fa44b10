using System.Xml.Linq;

namespace ProxyGateway.IntegrationTests.Admin.OpenApi;

/// <summary>The comments of internal records: the generator of ASP.NET Core reads those of public types alone.</summary>
internal sealed class DocComments(Type record)
{
    private readonly XElement _member = XDocument.Load(Path.Combine(AppContext.BaseDirectory, record.Assembly.GetName().Name + ".xml"))
        .Descendants("member").Single(m => (string?)m.Attribute("name") == "T:" + record.FullName);

    public string Summary => Text(_member.Element("summary")!);

    public string OfMember(string jsonName) =>
        Text(_member.Elements("param").Single(p => string.Equals((string?)p.Attribute("name"), jsonName, StringComparison.OrdinalIgnoreCase)));

    private static string Text(XElement comment) => string.Join(
        ' ',
        string.Concat(comment.Nodes().Select(n => n is XElement { Name.LocalName: "c" } code ? $"`{code.Value}`" : n.ToString()))
            .Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
