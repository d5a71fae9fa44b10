# The gateway, and nothing but its publish output:
#
#   dotnet publish src/ProxyGateway --configuration Release --output artifacts/publish
#   docker build --tag proxygateway .
#   docker run --name gateway --volume ./appsettings.json:/gateway/appsettings.json:ro --volume gateway-data:/gateway/data \
#     --env Urls=http://+:8080 --publish 8080:8080 proxygateway
#   docker exec gateway /app/proxygateway requests list
#
# How this was checked: there was no container engine at hand, so the image was never built. Instead, the publish output was started by its
# ENTRYPOINT as an unprivileged user, in a folder that held appsettings.json and a data folder of that user's, and with the variables that
# the base image sets.

FROM mcr.microsoft.com/dotnet/aspnet:10.0

COPY artifacts/publish /app

# The content root: configuration is mounted here, state goes to data. A volume there belongs to the user who runs the gateway.
WORKDIR /gateway
RUN mkdir --mode=700 data && chown $APP_UID:$APP_UID data
VOLUME /gateway/data

# Commands go by these, and not by what is mounted: docker exec gateway /app/proxygateway requests list
ENV PROXYGATEWAY_ADMIN_URL=unix:/gateway/data/admin.sock PROXYGATEWAY_KEY_FILE=/gateway/data/admin.key

# The base image's own unprivileged user. The image also sets ASPNETCORE_HTTP_PORTS=8080: every address, unless Urls says otherwise.
USER $APP_UID
EXPOSE 8080
ENTRYPOINT ["/app/proxygateway"]
