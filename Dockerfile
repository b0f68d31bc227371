# The image of em-metrics: one binary, the C library it is linked to, the root
# certificates. No shell and no package manager, so little to patch or to misuse.
#
#   docker build -t em-metrics .
#   docker run -p 3000:3000 -v em-metrics-data:/data em-metrics
#
# Builds with BuildKit and without it. `scripts/docker` builds it and tries it out.

ARG RUST_VERSION=1.95
ARG DEBIAN_SUITE=bookworm
# Whole names, for a mirror or a local stand-in. Both stages must be of one Debian suite:
# the binary runs with the C library of the second.
ARG RUST_IMAGE=rust:${RUST_VERSION}-slim-${DEBIAN_SUITE}
ARG DEBIAN_IMAGE=debian:${DEBIAN_SUITE}-slim

# --- build --------------------------------------------------------------------

FROM ${RUST_IMAGE} AS build
WORKDIR /src

# First the dependencies alone, with empty programs in place of ours: this layer is
# rebuilt only when Cargo.toml or Cargo.lock change.
COPY Cargo.toml Cargo.lock ./
RUN set -eu; \
    mkdir src; echo 'fn main() {}' >src/main.rs; touch src/lib.rs; \
    # every other target the manifest names must exist for cargo to read it
    sed -n 's/^path *= *"\(.*\.rs\)".*/\1/p' Cargo.toml | while read -r file; do \
        [ -e "$file" ] || { mkdir -p "$(dirname "$file")"; echo 'fn main() {}' >"$file"; }; \
    done; \
    cargo build --release --locked --bin em-metrics

COPY . .
# The commit, for /version: --build-arg REVISION="$(git rev-parse HEAD)"
ARG REVISION=
# cargo goes by file times, and a checkout may be older than the empty programs
RUN touch src/main.rs src/lib.rs \
    && env ${REVISION:+"EM_METRICS_COMMIT=$REVISION"} cargo build --release --locked --bin em-metrics \
    && install target/release/em-metrics /usr/local/bin/em-metrics

# --- the root file system of the image ------------------------------------------

FROM ${DEBIAN_IMAGE} AS rootfs
RUN apt-get update \
    && apt-get upgrade -y \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /usr/local/bin/em-metrics /usr/local/bin/em-metrics
RUN set -eu; \
    mkdir -p /image/etc/ssl/certs /image/usr/local/bin /image/var/lib/dpkg/status.d; \
    install -d -m 1777 /image/tmp; \
    cp /usr/local/bin/em-metrics /image/usr/local/bin/; \
    # the loader and the libraries the binary asks for, wherever they are on this machine type
    ldd /usr/local/bin/em-metrics | tee /dev/stderr | (! grep 'not found' >/dev/null); \
    ldd /usr/local/bin/em-metrics | grep -o '/[^ ]*' | sort -u | xargs cp -L --parents -t /image; \
    cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/; \
    cp -L /etc/os-release /image/etc/os-release; \
    echo 'hosts: files dns' >/image/etc/nsswitch.conf; \
    echo 'em-metrics:x:65532:65532::/data:/usr/sbin/nologin' >/image/etc/passwd; \
    echo 'em-metrics:x:65532:' >/image/etc/group; \
    # where security scanners look for the packages of an image without dpkg
    for package in libc6 libgcc-s1 ca-certificates; do \
        dpkg -s "$package" >"/image/var/lib/dpkg/status.d/$package"; \
    done; \
    mkdir /data

# --- the image --------------------------------------------------------------------

FROM scratch
COPY --from=rootfs /image/ /
# A new volume takes over this owner. A folder of the host must be given to it: chown 65532:65532 FOLDER
COPY --from=rootfs --chown=65532:65532 /data /data

# The default database is ./em-metrics.db, so it lands on the volume, and DATABASE_URL
# can be set without having to unset SQLITE_DB.
WORKDIR /data
VOLUME /data
# The C library keeps freed memory in up to eight pools for each core, which a container is charged for.
# Two are enough for one writer and what reads beside it.
ENV MALLOC_ARENA_MAX=2
USER 65532:65532
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/em-metrics", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/em-metrics"]

ARG VERSION=dev
ARG REVISION=
LABEL org.opencontainers.image.title="em-metrics" \
      org.opencontainers.image.description="Engineering metrics (DORA) from facts: exact series in Prometheus, exact answers from the store" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
