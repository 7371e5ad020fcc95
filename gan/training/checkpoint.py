"""Checkpoints: a folder of tensors and one JSON header, complete exactly when its hash list says so."""

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan.data.files.atomic import sync_folder
from gan.data.files.digest import file_sha256
from gan.errors import CheckpointError
from gan.training.header import Header

TENSORS = "tensors.pt"
HEADER = "header.json"
HASHES = "sha256.json"
PARTIAL = ".partial-"
KEEP = 2

Write = Callable[[Path], None]
"""Fills an existing folder with a checkpoint."""
Snapshot = Callable[[], Write]
"""Copies what a checkpoint holds to host memory; what it returns writes that at any time, while training goes on."""


def host_copy(tree: Any) -> Any:
    """Copy a tree of dicts, lists and tensors, its tensors to host memory and in the memory order that they have."""
    if isinstance(tree, Tensor):
        return tree.detach().to("cpu", copy=True)
    if isinstance(tree, Mapping):
        return {key: host_copy(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(host_copy(value) for value in tree)
    return tree


def save_checkpoint(folder: Path, header: Header, tensors: dict[str, Any]) -> None:
    """Write a checkpoint into an existing folder and onto the disk; the hash list comes last and makes it whole.

    Args:
        folder: an existing folder of its own, under a temporary name.
        header: what it says of itself.
        tensors: nested dicts and lists of tensors and numbers (state dicts of networks and optimizers).
    """
    torch.save(tensors, folder / TENSORS)
    (folder / HEADER).write_text(header.to_json())
    hashes = {name: file_sha256(folder / name) for name in (HEADER, TENSORS)}
    (folder / HASHES).write_text(json.dumps(hashes, indent=2) + "\n")
    for name in (TENSORS, HEADER, HASHES):
        with (folder / name).open("rb") as file:
            os.fsync(file.fileno())
    sync_folder(folder)


def hashes_hold(listed: str | bytes, sha256_of: Callable[[str], str]) -> bool:
    """Say whether a checkpoint is whole.

    Args:
        listed: the text of its hash list.
        sha256_of: of a file of it, by name; what it raises is raised.
    """
    try:
        hashes = json.loads(listed)
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(hashes, dict)
        and set(hashes) == {HEADER, TENSORS}
        and all(sha256_of(name) == found for name, found in hashes.items())
    )


def is_complete(folder: Path) -> bool:
    """Say whether every file that the hash list names can be read and has the hash that it gives."""
    try:
        return hashes_hold((folder / HASHES).read_bytes(), lambda name: file_sha256(folder / name))
    except OSError:
        return False


def load_header(folder: Path) -> Header:
    """Read a checkpoint's header, having checked that the checkpoint is whole.

    Raises:
        CheckpointError: the folder is no complete checkpoint, its header is damaged, or its format is not this code's.
    """
    if not is_complete(folder):
        raise CheckpointError(
            f"{folder} is no complete checkpoint: name a folder that holds {HASHES}, {HEADER}, {TENSORS}"
        )
    return Header.parse((folder / HEADER).read_bytes(), str(folder))


def load_tensors(folder: Path, device: torch.device) -> dict[str, Any]:
    """Read a checkpoint's tensors onto a device; nothing is unpickled but tensors and plain containers.

    Raises:
        CheckpointError: the file holds more than those, and so might run code of whoever wrote it, or is damaged.
    """
    try:
        tensors: dict[str, Any] = dict(torch.load(folder / TENSORS, map_location=device, weights_only=True))
    except Exception as error:  # on hostile files its reader raises nearly any type
        raise CheckpointError(
            f"{folder / TENSORS} is damaged, or holds more than tensors ({type(error).__name__}), and was not loaded: "
            "name another checkpoint, and ask who may write to this one"
        ) from None
    return tensors


def restore_part(part: Any, tensors: Mapping[str, Any], name: str, folder: Path) -> None:
    """Give a network or an optimizer the state that a checkpoint has for it.

    Raises:
        CheckpointError: there is none, or it is of other shapes than the header says.
    """
    try:
        part.load_state_dict(tensors[name])
    except Exception as error:  # whatever PyTorch makes of a state that does not fit
        raise CheckpointError(
            f"{folder / TENSORS} has no {name} as its header describes it ({type(error).__name__}): name another "
            "checkpoint"
        ) from None


def write_whole_folder(final: Path, write: Write) -> None:
    """Make a folder by `write`, all or nothing, in place of what has its name; what kills left beside it goes."""
    final.parent.mkdir(parents=True, exist_ok=True)
    remove_partial(final.parent)
    partial = final.with_name(f"{PARTIAL}{uuid.uuid4().hex}")
    partial.mkdir()
    try:
        write(partial)
        if final.exists():
            shutil.rmtree(final)
        os.replace(partial, final)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    sync_folder(final.parent)


def remove_partial(parent: Path) -> None:
    """Remove the folders that kills left half written; call it while nobody else writes there."""
    for killed in parent.glob(f"{PARTIAL}*"):
        shutil.rmtree(killed, ignore_errors=True)


def write_checkpoint_folder(parent: Path, cur_nimg: int, write: Write) -> Path:
    """Make `parent/checkpoint-<cur_nimg>` by `write`, all or nothing, and keep the last two."""
    final = parent / f"checkpoint-{cur_nimg:012d}"
    write_whole_folder(final, write)
    for old in sorted(parent.glob("checkpoint-*"))[:-KEEP]:
        shutil.rmtree(old)
    return final


def newest_complete(newest_first: Iterable[Path], on_warning: Callable[[str], None]) -> Path | None:
    """Return the first complete checkpoint, or None; where others were passed over, a warning names them."""
    broken: list[str] = []
    found = None
    for folder in newest_first:
        if is_complete(folder):
            found = folder
            break
        broken.append(folder.name)
    if broken:
        instead = f"training goes on from {found.name}" if found else "no other is left"
        on_warning(f"{', '.join(broken)} is cut short or altered: {instead}")
    return found
