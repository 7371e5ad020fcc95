"""The chain on the page of a flow run in Prefect."""

from prefect import get_run_logger

from gan.text.shown import reason_of
from tasks.lineage.find import find_lineage
from tasks.lineage.lines import links
from tasks.lineage.picture import chain_png
from tasks.lineage.records import Lineage
from tasks.reports import artifacts
from tasks.reports.markdown import cell, code, name, prose
from tasks.runtime.settings import Settings

_SHOWN = 12  # characters of an md5 or id in the narrow column


def show_lineage(settings: Settings, asked: str) -> None:
    """Show the chain of what `find_lineage` takes; where it cannot be gathered, that is a warning."""
    try:
        lineage = find_lineage(settings, asked)
    except Exception as error:  # what the chain is about has been done
        get_run_logger().warning("the lineage of %s could not be shown (%s)", asked, reason_of(error))
    else:
        told = f"what {asked} was made from, and what of it"
        artifacts.picture("lineage-picture", chain_png(list(links(lineage))), told)
        artifacts.markdown_text("lineage", lineage_markdown(lineage), told)


def lineage_markdown(lineage: Lineage) -> str:
    """The chain as a table, a row a link, with the commands that make each again below it.

    A table and no Mermaid: Prefect's page shows the text of a diagram, unless its newer version has been chosen.
    """
    rows = ["| | | what is recorded |", "|---|---|---|"]
    commands = []
    for link in links(lineage):
        step = "› " * link.depth + prose(link.kind) + (" (this)" if link.asked else "")
        said = "; ".join(prose(each) for each in link.said)
        rows.append(f"| {step} | {cell(link.name[:_SHOWN])} | {said} |")
        if link.command:
            commands.append(f"- {prose(link.kind)} {name(link.name)}, {link.use}: {code(link.command)}")
    return "\n".join([*rows, "", *commands, ""])
