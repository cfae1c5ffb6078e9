# The three services, one target each: docker build --target collector -t collector .
# Nothing here needs BuildKit, so docker-compose 1.29 builds it too.
ARG PYTHON_IMAGE=python:3.13.15-slim-trixie

# Changes only with requirements.txt: a new line of source reinstalls nothing.
FROM ${PYTHON_IMAGE} AS dependencies
COPY requirements.txt /
RUN python3 -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --disable-pip-version-check \
      --only-binary :all: --require-hashes -r /requirements.txt \
 && /venv/bin/pip uninstall --yes --quiet pip

FROM ${PYTHON_IMAGE} AS service
LABEL org.opencontainers.image.title="telemetry-pipeline" \
      org.opencontainers.image.description="IoT readings by HTTP to MQTT and InfluxDB" \
      org.opencontainers.image.licenses="MIT"
# Numbers, not names: an orchestrator can then see that it is not root. /outbox is the collector's;
# a named volume mounted there takes over its owner.
RUN install -d -o 10001 -g 10001 /outbox
COPY --from=dependencies /venv /venv
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1
WORKDIR /app
USER 10001:10001
STOPSIGNAL SIGTERM

# --chown: readable however private the checkout is.
FROM service AS simulator
COPY --chown=10001:10001 device device
RUN ["python", "-m", "compileall", "-q", "."]
ENTRYPOINT ["python", "-m", "device"]

# Where the others are when the containers share a network, as in docker-compose.yml.
FROM service AS collector
ENV COLLECTOR_HOST=0.0.0.0 \
    MQTT_HOST=broker \
    INFLUX_HOST=db \
    OUTBOX_PATH=/outbox/outbox.db
EXPOSE 1337
COPY --chown=10001:10001 telemetry telemetry
COPY --chown=10001:10001 collector collector
RUN ["python", "-m", "compileall", "-q", "."]
ENTRYPOINT ["python", "-m", "collector"]

FROM service AS bridge
ENV MQTT_HOST=broker \
    INFLUX_HOST=db
COPY --chown=10001:10001 telemetry telemetry
COPY --chown=10001:10001 bridge bridge
RUN ["python", "-m", "compileall", "-q", "."]
ENTRYPOINT ["python", "-m", "bridge"]
