// Makes the profile by which the native program is compiled (.mibc) out of what the JIT counted while the program ran on the .NET runtime:
// dotnet run tools/native-profile.cs TRACE PROFILE
// TRACE is a .nettrace with the runtime's keywords of tools/native-profile. PROFILE is an assembly whose methods, which nobody runs, list the methods of the program with their
// counts as IL: how often each block ran, and which types and methods calls through interfaces and delegates led to. ILC reads it (--mibc).
#:package Microsoft.Diagnostics.Tracing.TraceEvent
#:property EnforceCodeStyleInBuild=false
#:property PublishAot=false
#:property RunAnalyzers=false
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using Microsoft.Diagnostics.Tracing;
using Microsoft.Diagnostics.Tracing.Parsers.Clr;

const long Often = 30; // code that runs at the start alone keeps the compiler's own guesses, and no place in the profile

var modules = new Dictionary<long, string>();
var types = new Dictionary<ulong, LoadedType>();
var methods = new Dictionary<ulong, LoadedMethod>();
var counted = new Dictionary<ulong, byte[]>();
using (var trace = new EventPipeEventSource(args[0]))
{
    trace.Clr.LoaderModuleLoad += e => modules[e.ModuleID] = e.ModuleILPath;
    trace.Clr.TypeBulkType += e =>
    {
        for (int i = 0; i < e.Count; i++)
        {
            GCBulkTypeValues type = e.Values(i);
            types[type.TypeID] = new((long)type.ModuleID, type.TypeNameID, (int)type.Flags, type.CorElementType, [.. Enumerable.Range(0, type.TypeParameterCount).Select(type.TypeParameterID)]);
        }
    };
    trace.Clr.MethodMethodDetails += e =>
        methods[(ulong)e.MethodID] = new((ulong)e.TypeID, e.MethodToken, [.. Enumerable.Range(0, e.TypeParameterCount).Select(i => (ulong)e.TypeParameters(i))]);
    trace.Clr.JitInstrumentationDataVerboseInstrumentationData += e => counted[(ulong)e.MethodID] = e.Data;
    trace.Process();
}

var writer = new ProfileWriter(modules, types, methods);
int written = 0;
var left = new Dictionary<string, int>();
foreach ((ulong method, byte[] data) in counted)
{
    try
    {
        Count[] counts = [.. Count.Read(data)];
        if (counts.Max(c => c.IsNumber && c.Values.Length > 0 ? c.Values.Max() : 0) < Often)
            throw new UnknownException("ran seldom");
        writer.Add(method, counts);
        written++;
    }
    catch (UnknownException e)
    {
        left[e.Message] = left.GetValueOrDefault(e.Message) + 1;
    }
}

writer.Save(args[1]);
Console.WriteLine($"{written} methods; left out: {(left.Count == 0 ? "none" : string.Join(", ", left.OrderByDescending(l => l.Value).Select(l => $"{l.Value} ({l.Key})")))}");
return written > 0 ? 0 : 1;

internal sealed record LoadedType(long Module, int Token, int Flags, byte Element, ulong[] Arguments)
{
    public bool IsArray => (Flags & 8) != 0;

    public int Rank => (Flags >> 8) & 0x3F;
}

internal sealed record LoadedMethod(ulong Type, int Token, ulong[] Arguments);

/// <summary>The trace does not say enough of a type or a method.</summary>
internal sealed class UnknownException(string message) : Exception(message);

/// <summary>One record of what the JIT counted in a method.</summary>
/// <param name="Kind">What, as in the runtime's corjit.h; the four lowest bits say what its values are.</param>
/// <param name="Offset">Where in the IL.</param>
/// <param name="Other">What else belongs to it, such as an edge's other end.</param>
/// <param name="Values">Numbers, or the runtime's handles of types or methods.</param>
internal sealed record Count(long Kind, long Offset, long Other, long Length, long[] Values)
{
    private const int OffsetChanged = 1, KindChanged = 2, LengthChanged = 4, OtherChanged = 8, Everything = 15;

    public bool IsNumber => (Kind & 15) is 1 or 2;

    public bool IsType => (Kind & 15) == 3;

    public bool IsMethod => (Kind & 15) == 4;

    /// <summary>The record's head, of which nothing is left out.</summary>
    public long[] Head => [Everything, Offset, Kind, Length, Other];

    /// <summary>Reads what the runtime writes: of each record the fields that differ from the one before, as differences, then the values, as differences from the last of their sort.</summary>
    public static IEnumerable<Count> Read(byte[] data)
    {
        int at = 0;
        long offset = 0, kind = 0, length = 0, other = 0;
        var last = new long[5];
        while (at < data.Length)
        {
            long changed = Next();
            offset += (changed & OffsetChanged) != 0 ? Next() : 0;
            kind += (changed & KindChanged) != 0 ? Next() : 0;
            length += (changed & LengthChanged) != 0 ? Next() : 0;
            other += (changed & OtherChanged) != 0 ? Next() : 0;
            if (kind == 0)
                yield break;
            long sort = kind & 15;
            if (sort > 4)
                throw new UnknownException($"kind {kind:x}");
            var values = new long[sort == 0 ? 0 : length];
            for (int i = 0; i < values.Length; i++)
                values[i] = last[sort == 2 ? 1 : sort] += Next();
            yield return new Count(kind, offset, other, length, values);
        }

        // One byte for seven bits, two for fourteen, or a byte and four or eight; the lowest bit of the short ones is the sign.
        long Next()
        {
            byte first = data[at];
            int size = (first & 0x80) == 0 ? 0 : (first & 0xC0) == 0x80 ? 1 : first == 0xC1 ? 8 : 4;
            long value = size < 2 ? first & 0x7F >> size : 0;
            for (int i = 1; i <= size; i++)
                value = (value << 8) | (long)data[at + i];
            at += size + 1;
            return size switch
            {
                0 => (value >> 1) | ((value & 1) != 0 ? ~0x3FL : 0),
                1 => (value >> 1) | ((value & 1) != 0 ? ~0x1FFFL : 0),
                4 => (int)value,
                _ => value,
            };
        }
    }
}

/// <summary>The names of one assembly, as its file has them.</summary>
internal sealed class SourceAssembly
{
    public SourceAssembly(string path)
    {
        var file = new PEReader(File.OpenRead(path));
        Metadata = file.GetMetadataReader();
        Name = Metadata.GetString(Metadata.GetAssemblyDefinition().Name);
    }

    public MetadataReader Metadata { get; }

    public string Name { get; }
}

/// <summary>Writes the profile: references to types and methods by their names, so that it holds for any build that has them.</summary>
internal sealed class ProfileWriter(Dictionary<long, string> modules, Dictionary<ulong, LoadedType> types, Dictionary<ulong, LoadedMethod> methods)
{
    private readonly MetadataBuilder _metadata = new();
    private readonly Dictionary<string, SourceAssembly?> _sources = [];
    private readonly Dictionary<string, AssemblyReferenceHandle> _assemblies = [];
    private readonly Dictionary<(string, string, string, EntityHandle), TypeReferenceHandle> _typeReferences = [];
    private readonly Dictionary<string, EntityHandle> _rows = [];
    private readonly SortedDictionary<string, BlobBuilder> _groups = new(StringComparer.Ordinal);

    public void Add(ulong id, Count[] counts)
    {
        EntityHandle handle = Method(id, out string assembly);
        var body = new InstructionEncoder(new BlobBuilder());
        body.OpCode(ILOpCode.Ldtoken);
        body.Token(handle);
        body.LoadString(_metadata.GetOrAddUserString("InstrumentationDataStart"));
        foreach (Count count in counts)
        {
            foreach (long field in count.Head)
                Number(body, field);
            foreach (long value in count.Values)
            {
                if (count.IsNumber)
                    Number(body, value);
                else
                    Handle(body, (ulong)value, count.IsType);
            }
        }

        body.LoadString(_metadata.GetOrAddUserString("InstrumentationDataEnd"));
        body.OpCode(ILOpCode.Pop);
        if (!_groups.TryGetValue(assembly, out BlobBuilder? group))
            _groups[assembly] = group = new BlobBuilder();
        group.WriteBytes(body.CodeBuilder.ToArray());
    }

    public void Save(string path)
    {
        string name = Path.GetFileName(path);
        _metadata.AddAssembly(_metadata.GetOrAddString(name), new Version(0, 0, 0, 0), default, default, 0, AssemblyHashAlgorithm.None);
        _metadata.AddModule(0, _metadata.GetOrAddString(name), _metadata.GetOrAddGuid(new Guid("b9b9a7ec-19b1-4d6a-a9d7-0a8f30f1a3a1")), default, default);
        _metadata.AddTypeDefinition(default, default, _metadata.GetOrAddString("<Module>"), default, MetadataTokens.FieldDefinitionHandle(1), MetadataTokens.MethodDefinitionHandle(1));

        var code = new BlobBuilder();
        var bodies = new MethodBodyStreamEncoder(code);
        var signature = new BlobBuilder();
        new BlobEncoder(signature).MethodSignature().Parameters(0, static r => r.Void(), static _ => { });
        BlobHandle nothing = _metadata.GetOrAddBlob(signature);
        var dictionary = new InstructionEncoder(new BlobBuilder());
        foreach ((string assembly, BlobBuilder group) in _groups)
        {
            dictionary.LoadString(_metadata.GetOrAddUserString(assembly + ";"));
            dictionary.OpCode(ILOpCode.Ldtoken);
            dictionary.Token(Define("Assemblies_" + assembly + ";", new InstructionEncoder(group)));
            dictionary.OpCode(ILOpCode.Pop);
        }

        Define("AssemblyDictionary", dictionary);
        var image = new BlobBuilder();
        new ManagedPEBuilder(
            new PEHeaderBuilder(imageCharacteristics: Characteristics.ExecutableImage | Characteristics.Dll), new MetadataRootBuilder(_metadata), code,
            deterministicIdProvider: static _ => new BlobContentId(new Guid("b9b9a7ec-19b1-4d6a-a9d7-0a8f30f1a3a1"), 0x04030201)).Serialize(image);
        using FileStream file = File.Create(path);
        image.WriteContentTo(file);

        MethodDefinitionHandle Define(string method, InstructionEncoder body) => _metadata.AddMethodDefinition(
            MethodAttributes.Public | MethodAttributes.Static, MethodImplAttributes.IL, _metadata.GetOrAddString(method), nothing,
            bodies.AddMethodBody(body, maxStack: 8), MetadataTokens.ParameterHandle(1));
    }

    private static void Number(InstructionEncoder body, long value)
    {
        if (value == (int)value)
            body.LoadConstantI4((int)value);
        else
            body.LoadConstantI8(value);
    }

    private void Handle(InstructionEncoder body, ulong id, bool isType)
    {
        try
        {
            if (id >= 64)
            {
                EntityHandle handle = isType ? Type(id) : Method(id, out _);
                body.OpCode(ILOpCode.Ldtoken);
                body.Token(handle);
                return;
            }
        }
        catch (UnknownException)
        {
            id = 1 + (id % 31);
        }

        Number(body, (long)id); // none, or one that has no name: small numbers stand for those
    }

    private SourceAssembly Source(long module)
    {
        string path = modules.GetValueOrDefault(module) ?? throw new UnknownException("module unknown");
        if (!_sources.TryGetValue(path, out SourceAssembly? source))
            _sources[path] = source = File.Exists(path) ? new SourceAssembly(path) : null;
        return source ?? throw new UnknownException("module without a file");
    }

    private EntityHandle Method(ulong id, out string assembly)
    {
        LoadedMethod method = methods.GetValueOrDefault(id) ?? throw new UnknownException("method unknown");
        LoadedType owner = types.GetValueOrDefault(method.Type) ?? throw new UnknownException("type of a method unknown");
        if (owner.IsArray)
            throw new UnknownException("method of an array");
        SourceAssembly source = Source(owner.Module);
        assembly = source.Name;
        var handle = (MethodDefinitionHandle)MetadataTokens.EntityHandle(method.Token);
        if (handle.IsNil)
            throw new UnknownException("method without a token");
        MethodDefinition definition = source.Metadata.GetMethodDefinition(handle);
        var signature = new BlobBuilder();
        BlobReader reader = source.Metadata.GetBlobReader(definition.Signature);
        CopyMethodSignature(ref reader, signature, source);
        EntityHandle parent = Type(method.Type);
        BlobHandle blob = _metadata.GetOrAddBlob(signature);
        string name = source.Metadata.GetString(definition.Name);
        EntityHandle reference = Row($"m{MetadataTokens.GetToken(parent)} {name} {MetadataTokens.GetHeapOffset(blob)}", () => _metadata.AddMemberReference(parent, _metadata.GetOrAddString(name), blob));
        if (method.Arguments.Length == 0)
            return reference;
        var instantiation = new BlobBuilder();
        instantiation.WriteByte(0x0A);
        instantiation.WriteCompressedInteger(method.Arguments.Length);
        foreach (ulong argument in method.Arguments)
            WriteType(instantiation, argument);
        BlobHandle arguments = _metadata.GetOrAddBlob(instantiation);
        return Row($"s{MetadataTokens.GetToken(reference)} {MetadataTokens.GetHeapOffset(arguments)}", () => _metadata.AddMethodSpecification(reference, arguments));
    }

    private EntityHandle Row(string key, Func<EntityHandle> add)
    {
        if (!_rows.TryGetValue(key, out EntityHandle row))
            _rows[key] = row = add();
        return row;
    }

    private EntityHandle Type(ulong id)
    {
        LoadedType type = types.GetValueOrDefault(id) ?? throw new UnknownException("type unknown");
        if (!type.IsArray && type.Arguments.Length == 0)
            return Definition(type);
        var signature = new BlobBuilder();
        WriteType(signature, id);
        BlobHandle blob = _metadata.GetOrAddBlob(signature);
        return Row($"t{MetadataTokens.GetHeapOffset(blob)}", () => _metadata.AddTypeSpecification(blob));
    }

    private void WriteType(BlobBuilder signature, ulong id)
    {
        LoadedType type = types.GetValueOrDefault(id) ?? throw new UnknownException("type unknown");
        if (type.IsArray)
        {
            bool isVector = type.Element == 0x1D;
            signature.WriteByte((byte)(isVector ? 0x1D : 0x14));
            WriteType(signature, type.Arguments[0]);
            if (!isVector)
            {
                signature.WriteCompressedInteger(type.Rank);
                signature.WriteByte(0);
                signature.WriteByte(0);
            }

            return;
        }

        if (type.Element is 0x0F or 0x10) // pointer, reference
        {
            signature.WriteByte(type.Element);
            WriteType(signature, type.Arguments[0]);
            return;
        }

        TypeReferenceHandle definition = Definition(type);
        if (type.Arguments.Length == 0 && Primitive(type) is { } primitive)
        {
            signature.WriteByte(primitive);
            return;
        }

        if (type.Arguments.Length > 0)
            signature.WriteByte(0x15);
        signature.WriteByte((byte)(IsValueType(type) ? 0x11 : 0x12));
        signature.WriteCompressedInteger(CodedIndex.TypeDefOrRefOrSpec(definition));
        if (type.Arguments.Length > 0)
        {
            signature.WriteCompressedInteger(type.Arguments.Length);
            foreach (ulong argument in type.Arguments)
                WriteType(signature, argument);
        }
    }

    private byte? Primitive(LoadedType type)
    {
        SourceAssembly source = Source(type.Module);
        if (source.Name != "System.Private.CoreLib")
            return null;
        TypeDefinition definition = source.Metadata.GetTypeDefinition((TypeDefinitionHandle)MetadataTokens.EntityHandle(type.Token));
        if (source.Metadata.GetString(definition.Namespace) != "System" || definition.IsNested)
            return null;
        return source.Metadata.GetString(definition.Name) switch
        {
            "Void" => 1,
            "Boolean" => 2,
            "Char" => 3,
            "SByte" => 4,
            "Byte" => 5,
            "Int16" => 6,
            "UInt16" => 7,
            "Int32" => 8,
            "UInt32" => 9,
            "Int64" => 10,
            "UInt64" => 11,
            "Single" => 12,
            "Double" => 13,
            "String" => 14,
            "IntPtr" => 0x18,
            "UIntPtr" => 0x19,
            "Object" => 0x1C,
            "TypedReference" => 0x16,
            _ => null,
        };
    }

    private bool IsValueType(LoadedType type)
    {
        SourceAssembly source = Source(type.Module);
        EntityHandle parent = source.Metadata.GetTypeDefinition((TypeDefinitionHandle)MetadataTokens.EntityHandle(type.Token)).BaseType;
        string name = parent.Kind switch
        {
            HandleKind.TypeReference => source.Metadata.GetString(source.Metadata.GetTypeReference((TypeReferenceHandle)parent).Name),
            HandleKind.TypeDefinition when !parent.IsNil => source.Metadata.GetString(source.Metadata.GetTypeDefinition((TypeDefinitionHandle)parent).Name),
            _ => "",
        };
        return name is "ValueType" or "Enum" && type.Element != 0x12;
    }

    private TypeReferenceHandle Definition(LoadedType type)
    {
        var handle = MetadataTokens.EntityHandle(type.Token);
        if (handle.Kind != HandleKind.TypeDefinition || handle.IsNil)
            throw new UnknownException("type without a token");
        return Definition(Source(type.Module), (TypeDefinitionHandle)handle);
    }

    private TypeReferenceHandle Definition(SourceAssembly source, TypeDefinitionHandle handle)
    {
        TypeDefinition definition = source.Metadata.GetTypeDefinition(handle);
        string name = source.Metadata.GetString(definition.Name), space = source.Metadata.GetString(definition.Namespace);
        // The type that stands for all classes in shared generic code has an assembly of its own for ILC.
        string assembly = source.Name == "System.Private.CoreLib" && space == "System" && name == "__Canon" ? "System.Private.Canon" : source.Name;
        return definition.IsNested
            ? TypeReference("", "", name, Definition(source, definition.GetDeclaringType()))
            : TypeReference(assembly, space, name, Assembly(assembly));
    }

    private TypeReferenceHandle Reference(SourceAssembly source, TypeReferenceHandle handle)
    {
        TypeReference reference = source.Metadata.GetTypeReference(handle);
        string name = source.Metadata.GetString(reference.Name), space = source.Metadata.GetString(reference.Namespace);
        switch (reference.ResolutionScope.Kind)
        {
            case HandleKind.AssemblyReference:
                string assembly = source.Metadata.GetString(source.Metadata.GetAssemblyReference((AssemblyReferenceHandle)reference.ResolutionScope).Name);
                return TypeReference(assembly, space, name, Assembly(assembly));
            case HandleKind.TypeReference:
                return TypeReference("", space, name, Reference(source, (TypeReferenceHandle)reference.ResolutionScope));
            default:
                throw new UnknownException("scope of a type");
        }
    }

    private TypeReferenceHandle TypeReference(string assembly, string space, string name, EntityHandle scope)
    {
        if (!_typeReferences.TryGetValue((assembly, space, name, scope), out TypeReferenceHandle handle))
            _typeReferences[(assembly, space, name, scope)] = handle = _metadata.AddTypeReference(scope, _metadata.GetOrAddString(space), _metadata.GetOrAddString(name));
        return handle;
    }

    private AssemblyReferenceHandle Assembly(string name)
    {
        if (!_assemblies.TryGetValue(name, out AssemblyReferenceHandle handle))
            _assemblies[name] = handle = _metadata.AddAssemblyReference(_metadata.GetOrAddString(name), new Version(0, 0, 0, 0), default, default, 0, default);
        return handle;
    }

    // ECMA-335 II.23.2: the same signature with this assembly's rows for types.
    private void CopyMethodSignature(ref BlobReader from, BlobBuilder to, SourceAssembly source)
    {
        byte convention = from.ReadByte();
        to.WriteByte(convention);
        if ((convention & 0x10) != 0)
            CopyInteger(ref from, to);
        int parameters = CopyInteger(ref from, to);
        for (int i = 0; i <= parameters; i++)
            CopyType(ref from, to, source);
    }

    private static int CopyInteger(ref BlobReader from, BlobBuilder to)
    {
        int value = from.ReadCompressedInteger();
        to.WriteCompressedInteger(value);
        return value;
    }

    private void CopyType(ref BlobReader from, BlobBuilder to, SourceAssembly source)
    {
        byte element = from.ReadByte();
        to.WriteByte(element);
        switch (element)
        {
            case 0x0F or 0x10 or 0x1D or 0x41 or 0x45: // pointer, reference, vector, sentinel, pinned
                CopyType(ref from, to, source);
                break;
            case 0x11 or 0x12: // value type, class
                CopyRow(ref from, to, source);
                break;
            case 0x13 or 0x1E: // generic parameter
                CopyInteger(ref from, to);
                break;
            case 0x14: // array
                CopyType(ref from, to, source);
                CopyInteger(ref from, to);
                for (int list = 0; list < 2; list++)
                {
                    for (int left = CopyInteger(ref from, to); left > 0; left--)
                        CopyInteger(ref from, to);
                }

                break;
            case 0x15: // generic type
                to.WriteByte(from.ReadByte());
                CopyRow(ref from, to, source);
                for (int left = CopyInteger(ref from, to); left > 0; left--)
                    CopyType(ref from, to, source);
                break;
            case 0x1B: // function pointer
                CopyMethodSignature(ref from, to, source);
                break;
            case 0x1F or 0x20: // modifier
                CopyRow(ref from, to, source);
                CopyType(ref from, to, source);
                break;
        }
    }

    private void CopyRow(ref BlobReader from, BlobBuilder to, SourceAssembly source)
    {
        EntityHandle handle = from.ReadTypeHandle();
        to.WriteCompressedInteger(CodedIndex.TypeDefOrRefOrSpec(handle.Kind switch
        {
            HandleKind.TypeDefinition => Definition(source, (TypeDefinitionHandle)handle),
            HandleKind.TypeReference => Reference(source, (TypeReferenceHandle)handle),
            _ => throw new UnknownException("type specification in a signature"),
        }));
    }
}
