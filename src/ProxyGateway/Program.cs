using ProxyGateway;

return await CommandLine.RunAsync(args);
