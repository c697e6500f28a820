# Stands in for envoyproxy/envoy: the same release, run by the same unprivileged user.
ARG BASE
FROM ${BASE}
RUN useradd --uid 101 --no-create-home envoy
COPY envoy /usr/local/bin/envoy
USER envoy
EXPOSE 10000
CMD ["envoy", "-c", "/etc/envoy/envoy.yaml"]
