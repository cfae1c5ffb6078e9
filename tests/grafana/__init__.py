"""What Grafana would load and ask, held without Grafana."""
