# Sourced by ./test and tests/containers/run: a container engine for the tests, and images for it.
# Where an image cannot be pulled, one of Debian's packages takes its place under the same name: in an engine of this run alone, never in the developer's.

redis_image=docker.io/library/redis:7.4-alpine
valkey_image=docker.io/valkey/valkey:8.1-alpine
engine_dir=

# engine_answers SOCKET: whether a container engine listens there.
engine_answers() {
    [ -S "$1" ] && curl -fsS --max-time 20 --output /dev/null --unix-socket "$1" http://engine/_ping 2> /dev/null
}

# engine_find: whether an engine answers; sets `engine_socket`.
engine_find() {
    if [ -n "${DOCKER_HOST:-}" ]; then
        engine_socket=${DOCKER_HOST#unix://}
        engine_answers "$engine_socket"
        return
    fi
    for engine_socket in /var/run/docker.sock /run/podman/podman.sock "${XDG_RUNTIME_DIR:-/nowhere}/docker.sock" "${XDG_RUNTIME_DIR:-/nowhere}/podman/podman.sock"; do
        ! engine_answers "$engine_socket" || return 0
    done
    return 1
}

# engine_install: podman, for root, where no engine answers.
engine_install() {
    if engine_find || { command -v podman && command -v runc && command -v catatonit; } > /dev/null; then return 0; fi
    [ "$(id -u)" -eq 0 ] && command -v apt-get > /dev/null \
        && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends podman runc catatonit
}

# engine_start: finds an engine, or starts podman with a store of its own. Sets `engine`, the command, and DOCKER_HOST; `engine_why` if there is none.
engine_start() {
    engine=() engine_why=
    if engine_find; then
        export DOCKER_HOST=unix://$engine_socket
        if command -v docker > /dev/null; then engine=(docker); else engine=(podman --remote --url "$DOCKER_HOST"); fi
        return 0
    fi
    [ -z "${DOCKER_HOST:-}" ] || { engine_why="nothing answers at $DOCKER_HOST"; return 1; }
    [ "$(id -u)" -eq 0 ] || { engine_why="no engine answers, and ./test starts podman for root alone"; return 1; }
    engine_install > /dev/null 2>&1 || { engine_why="podman cannot be installed"; return 1; }
    engine_dir=$(mktemp -d /var/tmp/proxygateway-engine-XXXXXX) || { engine_why="/var/tmp takes no folder"; return 1; }
    # The build machines allow no higher limits, and crun refuses their cgroups.
    cat > "$engine_dir/containers.conf" << 'END'
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=8192:8192"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
END
    export CONTAINERS_CONF=$engine_dir/containers.conf
    engine=(podman --root "$engine_dir/root" --runroot "$engine_dir/run" --storage-driver overlay)
    "${engine[@]}" system service --time=0 "unix://$engine_dir/podman.sock" > "$engine_dir/log" 2>&1 &
    engine_pid=$!
    for _ in $(seq 100); do
        if engine_answers "$engine_dir/podman.sock"; then
            # The image of Testcontainers' reaper may not be there. engine_stop removes what the tests leave.
            export DOCKER_HOST=unix://$engine_dir/podman.sock TESTCONTAINERS_RYUK_DISABLED=true
            return 0
        fi
        kill -0 "$engine_pid" 2> /dev/null || break
        sleep 0.1
    done
    engine_why="podman does not start: $(tail -n 1 "$engine_dir/log")"
    engine_stop
    return 1
}

# engine_is_own: whether engine_start started it.
engine_is_own() { [ -n "$engine_dir" ]; }

# engine_stop: ends what engine_start started, with all its containers and images.
engine_stop() {
    engine_is_own || return 0
    timeout 60 "${engine[@]}" pod rm --all --force --time 0 > /dev/null 2>&1 || true
    timeout 60 "${engine[@]}" rm --all --force --time 0 > /dev/null 2>&1 || true
    kill "$engine_pid" 2> /dev/null || true
    wait "$engine_pid" 2> /dev/null || true
    # What watched over a command in a container lives on for five minutes, and then makes the folders again.
    pkill -KILL -f -- "^[^ ]*conmon .* $engine_dir/" || true
    grep -o " $engine_dir/[^ ]*" /proc/mounts | sort --reverse | xargs --no-run-if-empty umount || true
    rm -rf --one-file-system "$engine_dir"
    engine_dir=
    unset DOCKER_HOST CONTAINERS_CONF
}

# engine_has IMAGE: whether it is there or can be pulled.
engine_has() {
    timeout 60 "${engine[@]}" image inspect "$1" > /dev/null 2>&1 || timeout 60 "${engine[@]}" pull --quiet "$1" > /dev/null 2>&1
}

# with_libraries ROOT PROGRAM...: copies programs and the libraries that they load.
with_libraries() {
    local root=$1 program library
    shift
    for program in "$@"; do
        mkdir -p "$root/usr/bin"
        cp -L "$program" "$root/usr/bin/"
        for library in $(ldd "$program" | grep -o '/[^ ]*'); do
            mkdir -p "$root$(dirname "$library")"
            cp -nL "$library" "$root$library"
        done
    done
}

# engine_build IMAGE FOLDER: from the folder's Dockerfile.
engine_build() { timeout 300 "${engine[@]}" build --quiet --tag "$1" "$2" > /dev/null; }

# image_of_redis: the official image, or in an own engine one of Debian's redis-server under its name. Sets `redis_is`, in words.
image_of_redis() {
    redis_is=$redis_image
    ! engine_has "$redis_image" || return 0
    engine_is_own && command -v redis-server > /dev/null || { engine_why="there is no $redis_image"; return 1; }
    local root=$engine_dir/redis
    mkdir -p "$root/data"
    with_libraries "$root" "$(command -v redis-server)" "$(command -v redis-cli)"
    # As in the official image: without a password, and not only for the container itself.
    printf '%s\n' 'FROM scratch' 'COPY . /' 'WORKDIR /data' 'ENTRYPOINT ["/usr/bin/redis-server", "--protected-mode", "no"]' > "$root/Dockerfile"
    engine_build "$redis_image" "$root" || { engine_why="no image can be built"; return 1; }
    rm -rf "$root"
    redis_is="an image of Debian's $(redis-server --version | grep -o 'v=[0-9.]*' | sed 's/v=/Redis /')"
}

# image_of_base: the base of the Dockerfile, or in an own engine one of Debian's packages that are installed. Sets `base_image` and `base_is`.
image_of_base() {
    local root package
    base_image=$(sed -n 's/^ARG BASE=//p' "$1/Dockerfile") base_is=
    if engine_has "$base_image"; then
        base_is=$base_image
        return 0
    fi
    engine_is_own && command -v dpkg > /dev/null || { engine_why="there is no $base_image"; return 1; }
    base_image=localhost/proxygateway-base root=$engine_dir/base
    mkdir -p "$root/root/etc/ssl/certs" "$root/root/tmp" "$root"/root/usr/{bin,sbin,lib,lib64}
    chmod 1777 "$root/root/tmp"
    for package in bin sbin lib lib64; do ln -s "usr/$package" "$root/root/$package"; done
    for package in base-files ca-certificates libc6 libgcc-s1 libssl3 libstdc++6 tzdata zlib1g; do
        dpkg -L "$package" | grep -E '^(/lib|/lib64|/usr/lib|/usr/share/zoneinfo|/etc)/' | grep -v /gconv \
            | tar --create --no-recursion --files-from - --file - 2> /dev/null | tar --extract --directory "$root/root" --file -
    done
    cp /etc/ssl/certs/ca-certificates.crt "$root/root/etc/ssl/certs/"
    echo 'app:x:1654:1654::/home/app:/usr/sbin/nologin' > "$root/root/etc/passwd"
    echo 'app:x:1654:' > "$root/root/etc/group"
    printf '%s\n' 'FROM scratch' 'COPY root /' 'ENV APP_UID=1654' 'USER 1654' > "$root/Dockerfile"
    engine_build "$base_image" "$root" || { engine_why="no image can be built"; return 1; }
    rm -rf "$root"
    base_is="an image of Debian's packages"
}

# image_of_agent FOLDER: the built sample agent, on the base with this machine's .NET runtime.
image_of_agent() {
    local root=$engine_dir/agent runtimes
    agent_image=localhost/proxygateway-sample-agent
    runtimes=$(dirname "$(realpath "$(command -v dotnet)")")
    root=$(mktemp -d /var/tmp/proxygateway-agent-XXXXXX)
    mkdir "$root/dotnet" "$root/dotnet/shared" "$root/agent"
    cp -r "$runtimes/dotnet" "$runtimes/host" "$root/dotnet/"
    cp -r "$runtimes/shared/Microsoft.NETCore.App" "$runtimes/shared/Microsoft.AspNetCore.App" "$root/dotnet/shared/"
    cp -r "$1/." "$root/agent/"
    printf '%s\n' "FROM $base_image" 'COPY dotnet /dotnet' 'COPY agent /agent' 'ENV DOTNET_EnableDiagnostics=0' 'USER 1000:1000' \
        'ENTRYPOINT ["/dotnet/dotnet", "/agent/SampleAgent.dll"]' > "$root/Dockerfile"
    engine_build "$agent_image" "$root"
    rm -rf "$root"
}
