"""`python -m transformations`: compute features, and look at past computations."""

from foundation.cli import new_app, run
from transformations.commands.archive import app as archive_app
from transformations.commands.backfill import backfill
from transformations.commands.compute import compute
from transformations.commands.generate import generate
from transformations.commands.nightly import nightly
from transformations.commands.plot import plot
from transformations.commands.run import run_features
from transformations.commands.runs import remove_runs, show_runs
from transformations.commands.schedule import schedule
from transformations.commands.snapshot import app as snapshot_app

app = new_app("HOW values are computed: run the jobs, look at past runs.")

app.command(name="run")(run_features)
app.command(name="runs")(show_runs)
app.command(name="remove-runs")(remove_runs)
app.command(name="plot")(plot)
app.command(name="backfill")(backfill)
app.command(name="compute")(compute)
app.command(name="schedule")(schedule)
app.command(name="nightly")(nightly)
app.command(name="generate")(generate)
app.add_typer(snapshot_app, name="snapshot")
app.add_typer(archive_app, name="archive")


def main() -> None:
    """Run the command line."""
    run(app)
