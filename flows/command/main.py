"""The verbs of `ganflow` as one typer application.

All modules of verbs are imported for any of them, so they hold annotations and what these need: neither pydantic nor
rich, and nothing larger. A verb imports what it runs in its body.
"""

from flows.command.champion import history, promote, rollback
from flows.command.compare import compare
from flows.command.datasets import app as datasets
from flows.command.doctor import doctor
from flows.command.evaluate import evaluate, register
from flows.command.generate import generate, sample
from flows.command.group import group
from flows.command.ingest import ingest
from flows.command.lineage import lineage
from flows.command.presets import presets
from flows.command.prune import prune
from flows.command.releases import recall, releases
from flows.command.reproduce import reproduce
from flows.command.run import run
from flows.command.train import retrain, train
from flows.command.tune import tune
from flows.command.up import up
from flows.command.verify import verify

app = group(
    "ganflow",
    "Keep synthetic image datasets fresh: version images with DVC, train a GAN on Ray, measure it, register it "
    "in MLflow and draw releases from the champion, all as Prefect flows.",
    (
        *(run, ingest, train, evaluate, register, retrain, promote, rollback, history),
        *(generate, sample, verify, releases, recall, lineage, reproduce, compare, tune, presets, doctor, prune, up),
    ),
    [datasets],
)
