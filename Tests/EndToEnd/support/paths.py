"""Where things are: the repository, the built binaries, and the clients in the virtual environment."""

import os
import pathlib
import shutil
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
# The binaries under test; another build (debug, sanitizers) is named by S3GW_TEST_BINARIES.
BINARIES = pathlib.Path(os.environ.get("S3GW_TEST_BINARIES", REPOSITORY / ".build/release"))
CLIENTS = pathlib.Path(sys.executable).parent
# s3fs pins a botocore that the newest boto3 does not work with: it has an environment of its own (scripts/install).
S3FS_PYTHON = REPOSITORY / ".venv-s3fs/bin/python"
NGINX = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin") or "nginx"
