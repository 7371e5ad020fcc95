"""What can be evaluated: a registered version, a training run, a checkpoint folder."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch.export.passes import move_to_device_pass

from gan.generation.export import export_program
from gan.generation.sampling import Program, on_device
from gan.training.checkpoint import load_header
from tasks.runtime.settings import Settings
from tasks.tracking.own_configuration import kind_of
from tasks.tracking.registry import load_generator, load_program
from tasks.tracking.runs import run_artifact
from tasks.tracking.versions import find_model

CHECKPOINT = "checkpoint"


@dataclass(frozen=True)
class Subject:
    """A generator that is to be measured.

    Attributes:
        title: what people call it.
        class_names: of the images it draws, by label; empty for an unconditional one.
        dataset_md5: what it was trained on.
        run_id: the training run that it came from; None of a checkpoint folder.
        version: of the registered model; None of a run or a folder.
        checkpoint: the folder with its weights; None of a registered model.
        cur_nimg: images that it was trained with; 0 where that is not known.
        facts: more to be said about it.
    """

    title: str
    class_names: tuple[str, ...]
    dataset_md5: str
    run_id: str | None = None
    version: int | None = None
    checkpoint: Path | None = None
    cur_nimg: int = 0
    facts: dict[str, str] = field(default_factory=dict)

    def program(self, settings: Settings, device: torch.device) -> Program:
        """Load the function (seed, label) -> images; of a checkpoint, the graph that would be exported.

        Args:
            settings: where the registry is.
            device: where it draws.
        """
        if self.version is not None:
            program = load_program(settings, find_model(settings, str(self.version)), device=device)
        else:
            assert self.checkpoint is not None
            exported = export_program(load_generator(self.checkpoint))
            if device.type != "cpu":
                exported = move_to_device_pass(exported, device)
            program = exported.module()
        return on_device(program, device)


def find_subject(settings: Settings, name: str) -> Subject:
    """Tell what a name means: a checkpoint folder, the id of a training run, an alias or version of the model.

    Raises:
        InputError: there is no such thing.
        CheckpointError: the folder is no complete checkpoint.
    """
    kind = kind_of(name)
    if kind == "checkpoint":
        folder = Path(name).expanduser().absolute()
        return _of_checkpoint(folder, f"checkpoint {folder.name}", None)
    if kind == "run":
        return _of_checkpoint(run_artifact(settings, name, CHECKPOINT), f"run {name[:8]}", name)
    model = find_model(settings, name)
    return Subject(
        title=f"version {model.version}",
        class_names=model.class_names,
        dataset_md5=model.dataset_md5,
        run_id=model.run_id,
        version=model.version,
        facts={"model version": str(model.version), "training run": model.run_id},
    )


def _of_checkpoint(folder: Path, title: str, run_id: str | None) -> Subject:
    header = load_header(folder)
    facts = {"training run": run_id} if run_id else {"checkpoint": folder.name}
    return Subject(
        title=title,
        class_names=header.label_names,
        dataset_md5=header.dataset_md5,
        run_id=run_id,
        checkpoint=folder,
        cur_nimg=header.cur_nimg,
        facts=facts | {"images trained with": f"{header.cur_nimg:,}"},
    )
