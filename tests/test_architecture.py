"""The floors of the architecture hold, and importing the package stays light."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
HEAVY = {"numba", "torch", "plotly", "streamlit", "pgmpy", "sklearn", "pandas", "numpy", "scipy"}


def test_floors_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_importing_the_package_loads_nothing_heavy() -> None:
    script = "import sys, netsynth_core; print(' '.join(m for m in sys.modules if '.' not in m))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


def test_app_frame_holds_no_domain_code() -> None:
    """`app.py` cannot be a root of the import linter: its imports are checked here."""
    allowed = {"streamlit", "pages", "netsynth_core", "pathlib", "__future__", "os", "typing"}
    tree = ast.parse((ROOT / "app.py").read_text("utf-8"))
    roots = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    roots |= {node.module.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    assert roots <= allowed
