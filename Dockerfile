# syntax=docker/dockerfile:1

# The program runs as an ordinary user. Its file capability is permitted only
# (=p, not =ep): the program raises it to open its packet sockets and drops it,
# and still starts where the container may not have it.
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends libcap2-bin && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH TARGETVARIANT VERSION=unknown
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH GOARM=${TARGETVARIANT#v} make build VERSION="$VERSION" OUT=/out/thingwarden \
    && setcap cap_net_raw=p /out/thingwarden \
    && go run ./packaging/notices > /out/THIRD_PARTY_NOTICES
RUN mkdir -p /out/data && chown 65532:65532 /out/data && chmod 700 /out/data

FROM scratch AS agent
ARG VERSION=unknown
LABEL org.opencontainers.image.title="Thingwarden" \
      org.opencontainers.image.description="Finds the devices of your home, checks how well they are protected and tells Home Assistant" \
      org.opencontainers.image.source="https://github.com/thingwarden/thingwarden" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /usr/share/zoneinfo /usr/share/zoneinfo
COPY LICENSE /licenses/
COPY --from=build /out/THIRD_PARTY_NOTICES /licenses/
COPY --from=build /out/thingwarden /usr/bin/thingwarden
COPY --from=build --chown=65532:65532 /out/data /data
# The agent starts no broker of its own in a container: nobody could reach it.
ENV THINGWARDEN_STATE_DIR=/data container=docker
VOLUME /data
USER 65532:65532
HEALTHCHECK --interval=1m --timeout=5s --start-period=30s CMD ["/usr/bin/thingwarden", "health"]
ENTRYPOINT ["/usr/bin/thingwarden"]
CMD ["run"]

# The image of both apps of Home Assistant (--target app). Their options are in
# /data/options.json, which the Supervisor lets only root read; the apps' AppArmor
# profiles take from root what the program does not need.
FROM agent AS app
ARG VERSION=unknown
USER 0:0
LABEL io.hass.type="app" \
      io.hass.version="$VERSION" \
      io.hass.arch="aarch64|amd64"

FROM agent
