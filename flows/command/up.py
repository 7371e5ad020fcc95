"""`ganflow up`."""

from typing import Annotated

import typer

from flows.console import read_settings


def up(
    prefect_port: Annotated[int, typer.Option(help="Port of the Prefect server.")] = 4200,
    mlflow_port: Annotated[int, typer.Option(help="Port of the MLflow server.")] = 5000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Start Prefect and MLflow servers, worker and deployments; Ctrl-C stops them all."""
    from flows.up import run_up

    run_up(read_settings(), prefect_port=prefect_port, mlflow_port=mlflow_port, host=host)
