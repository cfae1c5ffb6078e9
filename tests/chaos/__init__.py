"""Chaos tests: what a 201 and accepted/ promise must hold through crashes, cuts and outages.

Devices (`devices`, `load`, `http_connection`) post readings, or publish them by MQTT
(`mqtt_devices`), and record each response in a `ledger`. A `proxy` stands on every connection
between two processes, a stub (`influx_stub`) before InfluxDB, and outbox and InfluxDB are on small
`disk`s that can be filled. `broken` starts a service that kills itself at a crash point, or a build
that breaks the promise. The `rig` combines these parts, `faults` act on it, and the `checker`
compares the ledger and the `books` with what InfluxDB holds. `scenarios` are faults of several
steps.

    python -m tests.chaos --duration 15m --seed 7     the scenarios, then mixed faults (`mix`)
    python -m tests.chaos.figures [--quick]           outage, restart and recovery in numbers
    python -m pytest tests/chaos                      faults alone, scenarios, controls, a mix
"""
