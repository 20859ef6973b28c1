"""`python -m serving_gateway keys`: who may ask."""

from datetime import timedelta
from typing import Annotated

import typer
from rich.table import Table

from foundation import clock
from foundation.cli import console, error_console, new_app
from foundation.settings import load_settings
from serving_gateway.auth.api_keys import new_key
from serving_gateway.auth.key_table import list_keys, revoke_key, store_key
from serving_gateway.auth.scopes import AccessScope

app = new_app("API keys: create, list and revoke what callers identify themselves with.")

_LONGEST_NAME = 100


@app.command()
def create(
    *,
    name: Annotated[str, typer.Option(help="Whose it is, or what for; shown by `keys list`.")],
    scope: Annotated[
        AccessScope, typer.Option(help="read: all values. admin: changes, too.")
    ] = AccessScope.READ,
    expires_in_days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="When it ends; without it, never.")
    ] = None,
) -> None:
    """
    Create a key and print it, this once: only its hash is kept.

    Nothing but the key goes to standard output, so that a script can take it. Gateways that run
    know it within seconds.
    """
    if not name.isprintable() or not 0 < len(name.strip()) <= _LONGEST_NAME:
        raise typer.BadParameter(
            f"must be 1 to {_LONGEST_NAME} printable characters", param_hint="--name"
        )
    now = clock.now()
    expires_at = None if expires_in_days is None else now + timedelta(days=expires_in_days)
    text, key = new_key(name, frozenset({scope}), now=now, expires_at=expires_at)
    store_key(load_settings(), key)
    typer.echo(text)
    error_console.print(
        f"Keep it: it can't be shown again. Its id is {key.key_id}; "
        f"`python -m serving_gateway keys revoke {key.key_id}` ends it.",
        highlight=False,
    )


@app.command(name="list")
def list_all() -> None:
    """Print every key's id, name, scope and dates; never the key."""
    now = clock.now()
    table = Table("key id", "name", "scope", "status", "created", "expires", "revoked")
    for key in list_keys(load_settings()):
        dates = (key.created_at, key.expires_at, key.revoked_at)
        table.add_row(
            key.key_id,
            key.name,
            ", ".join(sorted(key.scopes)),
            key.status(now),
            *("" if date is None else f"{date:%Y-%m-%d %H:%M}" for date in dates),
        )
    console.print(table)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="As `keys list` shows it.")],
) -> None:
    """End a key for good; gateways that run refuse it within seconds."""
    revoke_key(load_settings(), key_id, at=clock.now())
    console.print(f"Key {key_id} is revoked.", highlight=False)
