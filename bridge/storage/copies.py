"""The copies of a reading in a cluster of InfluxDB nodes."""

from typing import NamedTuple


class Copies(NamedTuple):
    """On how many nodes each reading is, and how many must have it before a write counts.

    `needed` is any, one, quorum, all, or empty: as InfluxDB decides, which in a cluster is one. A
    single InfluxDB takes both, and has one copy.
    """

    number: int = 1
    needed: str = ""
