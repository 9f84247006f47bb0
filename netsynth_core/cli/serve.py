"""``netsynth run`` and ``netsynth app``."""

from pathlib import Path

import click


@click.command("run", epilog="Example: netsynth run my-workspace/jobs/20260301T090000000000-a1b2c3")
@click.argument("folder", metavar="JOBFOLDER", type=click.Path(path_type=Path))
def run_command(folder: Path) -> None:
    """Do the job in JOBFOLDER and keep its status.json up to date.

    The app starts this in a process of its own; run it by hand to do a job again and see what it says.
    """
    from netsynth_core.errors import WorkspaceError
    from netsynth_core.workspace.running import run_job

    if not (folder / "recipe.json").exists():
        raise WorkspaceError(f"{folder} holds no recipe.json.", hint="Name a folder under the workspace's jobs folder.")
    status = run_job(folder.absolute())
    click.echo("made: " + (", ".join(status.artefacts) or "nothing"), err=True)
