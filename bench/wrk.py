"""wrk, the load generator: single readings over many connections."""

import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

_LUA = """
local requests = {}
function init()
  for i = 1, 100 do
    requests[i] = wrk.format("POST", "/data", {["Content-Type"] = "application/json"AUTHORIZATION},
      '{"type":"temp","value":' .. (20 + i % 15) .. ',"sensor_id":' .. (FIRST + i) .. '}')
  end
end
local n = 0
function request()
  n = n % 100 + 1
  return requests[n]
end
"""
_UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


class Answers(NamedTuple):
    """What wrk reports: requests answered, those not with 2xx, and the duration."""

    answered: int
    failed: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu_s: float


def wrk(  # noqa: PLR0913  most are keywords
    port: int,
    connections: int,
    seconds: float,
    *,
    first: int = 0,
    token: str = "",
    tls: bool = False,
) -> Answers:
    """POST single readings of 100 sensors, those after `first`, for `seconds`, a whole number."""
    header = f', ["Authorization"] = "Bearer {token}"' if token else ""
    url = f"http{'s' if tls else ''}://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory) / "singles.lua"
        script.write_text(
            _LUA.replace("AUTHORIZATION", header).replace("FIRST", str(first)), encoding="utf-8"
        )
        argv = ["wrk", "-t1", f"-c{connections}", f"-d{round(seconds)}s", "--latency"]
        with subprocess.Popen(
            [*argv, "--timeout", "20s", "-s", str(script), url],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            text = process.stdout.read()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, text
    return _read(text, usage.ru_utime + usage.ru_stime)


def _read(text: str, cpu_s: float) -> Answers:
    requests = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m),", text)
    assert requests, text
    errors = re.search(r"Socket errors: (.*)", text)
    failed = sum(map(int, re.findall(r"\d+", errors[1]))) if errors else 0
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return Answers(
        answered=int(requests[1]),
        failed=failed + (int(refused[1]) if refused else 0),
        seconds=float(requests[2]) * _UNITS_MS[requests[3]] / 1000,
        p50_ms=_percentile(text, 50),
        p99_ms=_percentile(text, 99),
        cpu_s=cpu_s,
    )


def _percentile(text: str, percent: int) -> float:
    found = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m)\s*$", text, re.MULTILINE)
    assert found, text
    return float(found[1]) * _UNITS_MS[found[2]]
