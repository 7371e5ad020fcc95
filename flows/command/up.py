"""`ganflow up`."""

from typing import Annotated

import typer

from flows.command.console import read_settings


def up(
    prefect_port: Annotated[int, typer.Option(help="Port of the Prefect server.")] = 4200,
    mlflow_port: Annotated[int, typer.Option(help="Port of the MLflow server.")] = 5000,
    host: Annotated[
        str,
        typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in, who need the password, too."),
    ] = "127.0.0.1",
    no_auth: Annotated[
        bool,
        typer.Option("--no-auth", help="Ask for no password: whoever can reach a port can then run programs as you."),
    ] = False,
) -> None:
    """Start Prefect and MLflow servers, worker and deployments; Ctrl-C stops them all.

    Both servers ask for the password in .ganflow/secret of the home, which only you can read.
    Commands typed in the home know it.
    """
    from flows.services.up import run_up

    run_up(read_settings(), prefect_port=prefect_port, mlflow_port=mlflow_port, host=host, auth=not no_auth)
