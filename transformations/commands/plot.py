"""`plot`: how good a model is, against its baseline and over its runs."""

from pathlib import Path
from typing import Annotated

import typer

from feature_repo.registry.catalog import read_catalog
from foundation.cli import console
from foundation.postgres import connect
from foundation.settings import load_settings
from transformations.past_runs import recent_runs


def plot(
    feature_name: Annotated[str, typer.Argument(help="For example user_product_affinity.")],
    *,
    output: Annotated[
        Path | None,
        typer.Option(help="Image to write, such as .png or .svg; by default named after it."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many runs, the newest.")] = 100,
) -> None:
    """
    Draw how good a model is: by cut-off against its baseline, and over its runs.

    Only features that a model gives have something to draw.
    """
    from transformations.plots import model_quality_figure  # noqa: PLC0415 - loads matplotlib

    version = read_catalog().select(feature_name).version
    with connect(load_settings()) as connection:
        records = recent_runs(connection, of=feature_name, limit=limit, failed_only=False)
    of_version = [record for record in records if record["version"] == version]
    figure = model_quality_figure(of_version, title=f"{feature_name} {version}")
    path = output or Path(f"{feature_name}.png")
    figure.savefig(path)
    console.print(f"Drawn in {path}")
