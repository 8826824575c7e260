"""Stands in for the get-pip.py that ansible-test would download: the interpreter brings pip itself."""

from __future__ import annotations

import os
import subprocess
import sys

if __name__ == "__main__":
    environment = dict(os.environ)  # ensurepip sets PIP_CONFIG_FILE for itself: pip is to see the user's
    subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
    arguments = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
    sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--quiet", *arguments], env=environment))
