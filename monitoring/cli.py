"""`python -m monitoring`: is everything computed, stored, fresh, and as it used to be?"""

from foundation.cli import new_app, run
from monitoring.commands import baseline
from monitoring.commands.alerts import alerts
from monitoring.commands.dashboards import dashboards
from monitoring.commands.drift import drift
from monitoring.commands.exporter import exporter
from monitoring.commands.parity import parity
from monitoring.commands.status import status

app = new_app("WATCH: what is stored, how old it is, and how its computations went.")
app.command()(status)
app.command()(exporter)
app.command()(alerts)
app.command()(dashboards)
app.command()(drift)
app.add_typer(baseline.app, name="baseline")
app.command()(parity)


def main() -> None:
    """Run the command line."""
    run(app)
