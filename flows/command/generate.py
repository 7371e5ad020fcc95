"""`ganflow generate` and `ganflow sample`."""

from pathlib import Path
from typing import Annotated

import typer

from flows.command.console import Answer, prepare
from flows.command.options import Json, Model, Overrides, OwnPreset
from gan.configuration.vocabulary import ReleaseFormat
from gan.errors import InputError

LAST_FIRST_SEED = 2**62  # seeds are int64, and those of an answer follow one another


def _above_zero(psi: float | None) -> float | None:
    if psi is not None and not 0.0 < psi <= 1.0:
        raise typer.BadParameter("it is above 0, and 1 at most")
    return psi


Count = Annotated[
    int | None, typer.Option("--n", "-n", min=1, help="Images; as the model's configuration says if not given.")
]
Balance = Annotated[
    str | None,
    typer.Option(
        metavar="equal|real|FILE.csv",
        help="Images of each class: as many (equal), in the proportions of the data that the model was trained on "
        "(real), or as a CSV file says with the columns class,count.",
    ),
]
Fill = Annotated[
    int | None,
    typer.Option(min=1, help="Bring every class of data/ up to so many images; classes that have them get none."),
]
Format = Annotated[ReleaseFormat | None, typer.Option(help="Of the files; parquet if not given.")]
ShardImages = Annotated[
    int | None, typer.Option(min=1, help="Most images in a file; 10,000 if not given, fewer of large images.")
]
Truncation = Annotated[
    float | None,
    typer.Option(
        metavar="PSI",
        callback=_above_zero,
        help="Draw images nearer to the mean of their class: above 0, less varied; 1: as they are.",
    ),
]
KeepLast = Annotated[
    int | None,
    typer.Option(min=1, help="Remove what is older than so many published releases of the model; all stay without it."),
]
Processes = Annotated[
    int | None,
    typer.Option(
        "--workers", "-w", min=1, help="Processes that draw, on this machine or, with RAY_ADDRESS, a cluster."
    ),
]
Sign = Annotated[
    Path | None,
    typer.Option(metavar="KEY.pem", help="Sign the manifest by this Ed25519 key; GANFLOW_SIGNING_KEY names one."),
]
RequireLicense = Annotated[
    bool, typer.Option("--require-license", help="Refuse where the licence of the training images is not known.")
]
PushToHub = Annotated[
    str | None,
    typer.Option(
        metavar="OWNER/NAME",
        help="Push the release to this dataset on the Hugging Face hub, private if it is made; HF_TOKEN or "
        "`hf auth login` says who pushes.",
    ),
]
Public = Annotated[bool, typer.Option("--public", help="All may see what --push-to-hub pushes.")]


def generate(
    model: Model = "champion",
    n: Count = None,
    balance: Balance = None,
    fill: Fill = None,
    format: Format = None,
    shard_images: ShardImages = None,
    truncation: Truncation = None,
    keep_last: KeepLast = None,
    workers: Processes = None,
    name: Annotated[str | None, typer.Option(help="Name of the release; the next free one without it.")] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=LAST_FIRST_SEED, help="First seed; derived from version and name if not given."),
    ] = None,
    sign: Sign = None,
    require_license: RequireLicense = False,
    push_to_hub: PushToHub = None,
    public: Public = False,
    preset: OwnPreset = None,
    overrides: Overrides = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Draw a release of synthetic images into synthetic/ and track it with DVC.

    The model carries the configuration that it was trained with, and that
    says how many images; --preset and --set change it.

    ganflow generate --n 10000                      10,000 images, as many of
    each class, in Parquet shards that load_dataset("parquet") shows.

    ganflow generate --fill 500                     what rare classes of data/
    lack of 500 images each.

    ganflow generate --balance want.csv --format webdataset      tar files for
    training from a stream, with as many images as want.csv says.

    An image is a function of the model's version, its seed and its label. So
    --workers change no byte, and the same command after a crash goes on from
    the shards that are done. Of a release that is there, nothing is drawn:
    with --name, --model and --push-to-hub it is pushed.
    """
    answer = Answer()
    from flows.command.preflight import begin
    from flows.configure import quota_overrides, release_overrides, require_resolvable, resolve_own

    others = {"format": format, "shard_images": shard_images, "truncation": truncation, "keep_last": keep_last}
    changes = [*overrides, *release_overrides(n=n, balance=balance, fill=fill, **others)]
    require_resolvable(preset, changes)
    _require_pushable(push_to_hub, public)
    settings = begin()
    from tasks.champion.changing import find_in_use
    from tasks.tracking.own_configuration import version_configuration

    key = sign or settings.ganflow_signing_key
    if key:
        from tasks.generate.signature import load_signing_key

        load_signing_key(key)  # before anything is started
    found = find_in_use(settings, model)
    changes += quota_overrides(balance, found.class_names)
    configuration = resolve_own(preset, changes, lambda: version_configuration(settings, found))
    if require_license:
        from tasks.generate.licence import require_license as refuse_unlicensed

        refuse_unlicensed(settings, found)
    from flows.services.temporary_server import starting_prefect

    with starting_prefect():
        from flows.command.summary import configuration_line, release_lines
        from flows.generate import generate_configured as flow
    signed = str(key.absolute()) if key else None
    pushed = (push_to_hub, public)
    result = flow(str(found.version), configuration, name, seed, workers, signed, require_license, *pushed)
    answer.give(result, [*release_lines(result), configuration_line(configuration)], as_json)
    if result.hub_error:
        raise typer.Exit(1)


def _require_pushable(repository: str | None, public: bool) -> None:
    """Look whether a push can be tried, before anything is started."""
    if repository:
        from tasks.generate.hub import require_hub

        require_hub(repository)
    elif public:
        raise InputError("--public says who may see what --push-to-hub pushes: give both")


def sample(
    output: Annotated[Path, typer.Option("--output", "-o", help="PNG file to write.")] = Path("samples.png"),
    label: Annotated[int, typer.Option("--label", "-l", help="Class; -1 draws it from the seed.")] = -1,
    n: Annotated[int, typer.Option("--n", "-n", min=1, max=10_000, help="Images.")] = 64,
    seed: Annotated[int, typer.Option(min=0, max=LAST_FIRST_SEED, help="First seed.")] = 0,
    truncation: Truncation = None,
    model: Model = "champion",
    as_json: Json = False,
) -> None:
    """Draw a grid of samples into a PNG file; no server is needed."""
    answer = Answer()
    settings = prepare()
    from tasks.generate.samples import write_samples

    psi = 1.0 if truncation is None else truncation
    version = write_samples(settings, model, output, label=label, count=n, seed=seed, psi=psi)
    facts = {"path": str(output), "model_version": version, "label": label, "n": n, "first_seed": seed}
    facts |= {"truncation": psi} if psi < 1.0 else {}
    answer.give(facts, [f"samples   {output}: {n} images of version {version}"], as_json)
