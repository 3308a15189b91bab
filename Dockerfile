# SPDX-License-Identifier: MIT
# The whole chat in one container: nginx, two responders, a bridge and, where no
# setting names another, a Redis of its own.
FROM debian:bookworm-slim AS build
WORKDIR /src
COPY conf/install conf/packages conf/
RUN sh conf/install build && rm -rf /var/lib/apt/lists/*
COPY . .
RUN ./bootstrap && mkdir build-image && cd build-image && \
	../configure --quiet && make -s -j"$(nproc)" && make -s install-strip

FROM debian:bookworm-slim
WORKDIR /srv/palaver
COPY conf conf
RUN sh conf/install run image && rm -rf /var/lib/apt/lists/* && \
	useradd --system --create-home palaver && \
	install -d -m 1777 /var/lib/palaver
COPY --from=build /usr/local/bin/palaver* /usr/local/bin/
COPY www www
USER palaver
ENV SERVER_ADDRESS=0.0.0.0:5000 DEMO_STATE=/var/lib/palaver/state
VOLUME /var/lib/palaver
EXPOSE 5000
HEALTHCHECK CMD curl -sf "http://127.0.0.1:${PORT:-5000}/api/health" || exit 1
CMD ["sh", "conf/demo", "--installed"]
