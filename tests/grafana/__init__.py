"""Tests of dashboards and provisioning that do not need Grafana."""
