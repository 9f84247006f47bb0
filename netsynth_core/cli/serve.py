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
    status = run_job(folder.absolute(), log=lambda line: click.echo(line, err=True))
    click.echo("made: " + (", ".join(status.artefacts) or "nothing"), err=True)


@click.command("app", epilog="Example: netsynth app --workspace ~/captures/office")
@click.option("--workspace", metavar="W", type=click.Path(path_type=Path), help="Folder of the workspace to open.")
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True, help="Port on 127.0.0.1.")
@click.option("--headless", is_flag=True, help="Do not open a browser.")
def app_command(workspace: Path | None, port: int, headless: bool) -> int:
    """Start the app in the browser; it listens on 127.0.0.1 only. Ctrl-C ends it."""
    import os
    import subprocess
    import sys

    import netsynth_core
    from netsynth_core.errors import StorageError

    page = Path(netsynth_core.__file__).resolve().parent.parent / "app.py"
    if not page.exists():
        raise StorageError(
            f"{page} is not there.", hint="The app runs from a checkout: pip install -e . in it, then try again."
        )
    environment = dict(os.environ)
    if workspace is not None:
        environment["NETSYNTH_WORKSPACE"] = str(workspace.absolute())
    command = [
        *(sys.executable, "-m", "streamlit", "run", str(page)),
        "--server.address=127.0.0.1",
        f"--server.port={port}",
        f"--server.headless={'true' if headless else 'false'}",
        "--browser.gatherUsageStats=false",
    ]
    with subprocess.Popen(command, env=environment, cwd=page.parent) as server:
        try:
            return server.wait()
        except KeyboardInterrupt:
            server.terminate()
            raise
