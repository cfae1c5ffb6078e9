# One target for each of the three services: docker build --target collector -t collector .
# It must build without BuildKit, for docker-compose 1.29.
ARG PYTHON_IMAGE=python:3.13.15-slim-trixie

# Depends on requirements.txt only, so a source change does not reinstall the dependencies.
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
# Numeric ids, so that an orchestrator can verify that the user is not root. A named volume
# inherits the owner of the directory that it is mounted on; the broker's group reads /accounts.
RUN install -d -o 10001 -g 10001 /outbox && install -d -o 10001 -g 1883 -m 2750 /accounts
COPY --from=dependencies /venv /venv
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1
WORKDIR /app
STOPSIGNAL SIGTERM

# --chown makes the files readable even if the checkout is readable by its owner only.
# Each has a user of its own, who can read its passwords and no other's.
FROM service AS simulator
USER 10003:10003
COPY --chown=10003:10003 device device
RUN ["python", "-m", "compileall", "-q", "."]
ENTRYPOINT ["python", "-m", "device"]

# The host names are the service names in docker-compose.yml.
FROM service AS collector
USER 10001:10001
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
USER 10002:10002
ENV MQTT_HOST=broker \
    INFLUX_HOST=db
COPY --chown=10002:10002 telemetry telemetry
COPY --chown=10002:10002 bridge bridge
RUN ["python", "-m", "compileall", "-q", "."]
ENTRYPOINT ["python", "-m", "bridge"]
