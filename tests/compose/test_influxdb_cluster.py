"""influxdb-cluster.yml, without an engine."""

import re

import yaml

from run.configuration import ROOT

SERVICES = yaml.safe_load((ROOT / "influxdb-cluster.yml").read_text())["services"]


def test_meta_and_data_nodes_are_pinned_each_to_a_machine() -> None:
    for kind in ("meta", "data"):
        for number in (1, 2, 3):
            node = SERVICES.pop(f"{kind}-{number}")
            assert node["image"] == f"chengshiwen/influxdb:1.8.11-c1.2.0-{kind}"
            assert node["hostname"] == f"{kind}-{number}", "under which it is joined"
            assert node["deploy"]["placement"]["constraints"] == [
                f"node.labels.database == {number}"
            ]
            assert node["deploy"]["endpoint_mode"] == "dnsrr"
    (command,) = SERVICES.pop("join")["command"]
    assert re.search(r"add-meta\\ meta-\{1,2,3\}:8091 add-data\\ data-\{1,2,3\}:8088", command)
    assert SERVICES == {}
