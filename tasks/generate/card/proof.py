"""The sections of a release's card on how its images were chosen, checked, marked and signed."""

from collections.abc import Iterator, Mapping
from typing import Any

from tasks.generate.card.loading import NPZ, PARQUET, WEBDATASET, format_of
from tasks.generate.card.privacy import number_of
from tasks.reports.markdown import cell, code, prose

_MARK = "`DigitalSourceType` = `trainedAlgorithmicMedia`"
_WHERE = {
    PARQUET: f"as XMP in each PNG ({_MARK} of the IPTC, outside the pixels), and as key-values in each file's schema",
    WEBDATASET: f"as XMP in each PNG ({_MARK} of the IPTC, outside the pixels), and in the JSON beside it",
    NPZ: f"in the array `metadata` of each file ({_MARK} of the IPTC): its arrays have no place for more",
}
_ELSE = f"as XMP in each PNG ({_MARK} of the IPTC, outside the pixels)"


def selection_section(manifest: Mapping[str, Any]) -> str:
    """Return how many images were drawn, how many were rejected and why; nothing where none could be."""
    found = manifest.get("selection")
    if not isinstance(found, Mapping) or not found.get("asked"):
        return ""
    heading = "## How the images were chosen\n\n"
    asked, kept = found["asked"], found.get("kept", manifest["generation"]["num_images"])
    rejected = found.get("rejected") or {}
    if not rejected and asked == kept:
        return f"{heading}All {asked} images that were drawn are here: none was rejected."
    rows = []
    for reason, count in rejected.items():
        number = sum(count.values()) if isinstance(count, Mapping) else count
        rows.append(f"| {cell(str(reason))} | {number} | {100 * number / asked:.2f} % |")
    table = ["", "| rejected because | images | share of those drawn |", "|---|---|---|", *rows] if rows else []
    table += _coverage(found)
    told = f"""{kept} of {asked} images that were drawn are here ({100 * kept / asked:.1f} %).
Choosing moves what is left away from the whole: rare looks may be rarer here than the model draws them."""
    return heading + "\n".join([told, *table])


def _coverage(found: Mapping[str, Any]) -> list[str]:
    """Say what choosing cost: how much of the real images those drawn and those kept reach, where that was measured."""
    lost = found.get("coverage_lost")
    if not isinstance(lost, Mapping):
        return []
    rows = []
    for key in ("coverage", "recall"):
        drawn, kept = (number_of(lost.get(f"{key}_{which}")) for which in ("drawn", "kept"))
        if drawn is not None and kept is not None:
            rows.append(f"| {key} | {drawn:.4g} | {kept:.4g} |")
    return (
        ["", "| share of the real images reached | by those drawn first | by those kept |", "|---|---|---|", *rows]
        if rows
        else []
    )


def checks_section(manifest: Mapping[str, Any]) -> str:
    """Return what the release was checked for and how that came out; nothing where it was not checked."""
    rows = [
        f"| {cell(check)} | {'passed' if passed else 'failed'} | {prose(said)} |"
        for check, passed, said in _checks(manifest.get("checks"))
    ]
    return "\n".join(["## Checks", "", "| check | | |", "|---|---|---|", *rows]) if rows else ""


def _checks(found: Any) -> Iterator[tuple[str, bool, str]]:
    """Take a list of records (`check`, `passed`, `said`), or the same by name."""
    each = found.items() if isinstance(found, Mapping) else (("", one) for one in found or ())
    for key, one in each:
        if isinstance(one, Mapping) and "passed" in one:
            yield str(one.get("check", key)), bool(one["passed"]), str(one.get("said", ""))


def marks_section(manifest: Mapping[str, Any]) -> str:
    """Return how the images say that they are synthetic, and by which key the manifest is signed."""
    signer = _signer(manifest)
    marked = "The images carry no mark: nothing in a single file says that it is synthetic. This card does."
    if manifest.get("marks"):
        marked = f"""They are marked as synthetic {_WHERE.get(format_of(manifest), _ELSE)}.
That helps to meet Article 50(2) of the EU AI Act; whoever copies the pixels alone leaves it behind."""
    signed = "It is not signed: the sha256 of files in `manifest.json` tell of damage, not of who made them."
    if signer:
        signed = f"""`manifest.json` is signed with Ed25519 (`manifest.json.sig`) by the key {code(signer)}.
Ask whoever gave you the release for that fingerprint by another way before you trust it."""
    key = " --key FINGERPRINT" if signer else ""
    verify = f"""`ganflow verify FOLDER{key}` checks files, marks and signature, and draws some images again from
their seeds where the registry with the model is at hand."""
    return "\n\n".join(["## Marks and signature", marked, signed, verify])


def _signer(manifest: Mapping[str, Any]) -> str | None:
    signature = manifest.get("signature")
    named = signature.get("fingerprint") if isinstance(signature, Mapping) else signature
    found = manifest.get("signed_by") or named
    return str(found) if found else None
