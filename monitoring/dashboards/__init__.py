"""What people look at: dashboards of Grafana, as code."""
