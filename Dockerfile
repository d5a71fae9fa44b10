# The gateway's native program on a base without a shell: docs/install.md, "Containers".
#
#   docker build --tag proxygateway .
#
# With a program that was published outside, of which the first stage is not run and its base is not needed:
#
#   dotnet publish src/ProxyGateway --configuration Release --runtime linux-x64 --output artifacts/publish
#   docker build --build-context program=artifacts/publish --tag proxygateway .
#
# Both bases may be others. The last one needs the C library, OpenSSL, certificates and time zones, and no more.
ARG SDK=mcr.microsoft.com/dotnet/sdk:10.0-noble-aot
ARG BASE=mcr.microsoft.com/dotnet/runtime-deps:10.0-noble-chiseled

FROM ${SDK} AS build
# The version, which is otherwise that of the repository's tag: the repository is not in the build's context.
ARG VERSION=
WORKDIR /source
COPY . .
RUN dotnet publish src/ProxyGateway --configuration Release --use-current-runtime -p:MinVerVersionOverride="${VERSION}" --output /program && rm -f /program/*.dbg /program/*.pdb

FROM scratch AS program
COPY --from=build /program /

FROM ${BASE}
COPY --from=program / /app/

# The content root, which belongs to root: the user who runs the gateway writes to data alone.
COPY config/image/README /gateway/
COPY --chown=1654:1654 --chmod=700 config/image/state /gateway/data
WORKDIR /gateway
VOLUME /gateway/data

# Devices come from outside the container, whatever address a mounted configuration names; operators do not: they use the socket, by docker exec.
# Commands go by these, and not by what is mounted.
ENV Urls=http://+:8080 PROXYGATEWAY_ADMIN_URL=unix:/gateway/data/admin.sock PROXYGATEWAY_KEY_FILE=/gateway/data/admin.key

USER 1654:1654
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 CMD ["/app/proxygateway", "health"]
ENTRYPOINT ["/app/proxygateway"]
