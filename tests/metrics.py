"""What /metrics of a collector says, by the names that the counters of its status have."""

import urllib.request
from collections import Counter

from prometheus_client.parser import text_string_to_metric_families

from collector.http.metrics import COUNTERS, GAUGES

_KEYS = {
    f"collector_{name}": key
    for key, (name, _) in {**COUNTERS, **GAUGES}.items()
    if not key.endswith("_ms")  # told in seconds
}


def counted(text: str) -> dict[str, int]:
    """Return the sums of the counters of all outboxes in a text.

    Of HTTP requests refused they are called `http_refused_<reason>`.
    """
    found: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if key := _KEYS.get(family.name):
                found[key] += int(sample.value)
            elif "reason" in sample.labels:
                found[f"http_refused_{sample.labels['reason']}"] += int(sample.value)
    return dict(found)


def counted_at(url: str, timeout_s: float = 30) -> dict[str, int]:
    """Return the counters of the collector at a URL; OSError when it does not respond."""
    return counted(metrics_at(url, timeout_s))


def metrics_at(url: str, timeout_s: float = 30) -> str:
    """Return the text at /metrics; OSError when the collector does not respond."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=timeout_s) as response:
        text: str = response.read().decode()
        return text
