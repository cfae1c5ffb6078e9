"""Chaos: the promise of a 201, held against crashes, cuts and outages of real processes.

Devices post (`devices`, `wire`, `load`) and enter in a `ledger` what they are told. Between each
two processes stands a `proxy`, before InfluxDB also a stub (`influx_stub`), under the outbox a
small `disk`; `broken` runs a service that dies at a named instant, or a build that breaks the
promise. The `rig` holds all this, `faults` are what strikes it, and the `checker` compares ledger
and `books` with what InfluxDB holds.

    python -m tests.chaos --duration 15m --seed 7     mixed faults (`mix`)
    python -m tests.chaos.figures [--quick]           outage, restart and recovery in numbers
    python -m pytest tests/chaos                      each fault alone, broken builds, a short mix
"""
