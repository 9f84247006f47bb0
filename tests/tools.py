"""Programs of others that judge what is made here."""

import os
import shutil

import pytest


def needs(*names: str) -> pytest.MarkDecorator:
    """Skip a test where a program is not installed; where the checks run for good, it fails instead."""
    missing = [name for name in names if shutil.which(name) is None]
    return pytest.mark.skipif(bool(missing) and "CI" not in os.environ, reason=f"not installed: {', '.join(missing)}")
