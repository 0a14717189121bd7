"""Command-line clients as a user would run them, configured through their own files and variables."""

import hashlib
import pathlib
import subprocess

from .paths import CLIENTS, S3FS_PYTHON

SECONDS = 90


def run(words, environment=None, input=None, cwd=None):
    """Runs a client, which must succeed, and returns its standard output as bytes."""
    result = subprocess.run(
        [str(word) for word in words], capture_output=True, env=environment, input=input, cwd=cwd, timeout=SECONDS
    )
    assert result.returncode == 0, (
        f"{words}: exit {result.returncode}\n{result.stdout[-2000:]}\n{result.stderr[-2000:]}"
    )
    return result.stdout


def aws(stack, *words, tenant=None, **options):
    return run([CLIENTS / "aws", *words], stack.client_environment(tenant), **options)


def rclone(stack, *words, tenant=None, **options):
    credentials = stack.credentials(tenant)
    remote = {
        "RCLONE_CONFIG": "/dev/null",
        "RCLONE_CONFIG_GW_TYPE": "s3",
        "RCLONE_CONFIG_GW_PROVIDER": "Other",
        "RCLONE_CONFIG_GW_ENDPOINT": stack.https_url,
        "RCLONE_CONFIG_GW_REGION": stack.settings["region"],
        "RCLONE_CONFIG_GW_ACCESS_KEY_ID": credentials.access_key_id,
        "RCLONE_CONFIG_GW_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "RCLONE_CA_CERT": str(stack.authority.ca),
        "RCLONE_RETRIES": "1",
        "RCLONE_LOW_LEVEL_RETRIES": "1",
    }
    return run([CLIENTS / "rclone", *words], stack.environment | {"HOME": str(stack.directory)} | remote, **options)


def s5cmd(stack, *words, tenant=None, **options):
    words = [CLIENTS / "s5cmd", "--endpoint-url", stack.https_url, "--retry-count", "0", *words]
    return run(words, stack.client_environment(tenant), **options)


def s3cmd(stack, *words, tenant=None, **options):
    credentials = stack.credentials(tenant)
    endpoint = f"127.0.0.1:{stack.nginx.https_port}"
    options_words = [
        f"--access_key={credentials.access_key_id}",
        f"--secret_key={credentials.secret_access_key}",
        f"--host={endpoint}",
        f"--host-bucket={endpoint}",
        f"--region={stack.settings['region']}",
        f"--ca-certs={stack.authority.ca}",
        "--config=/dev/null",
        "--no-progress",
        "--max-retries=1",
    ]
    return run(
        [CLIENTS / "s3cmd", *options_words, *words], stack.environment | {"HOME": str(stack.directory)}, **options
    )


def restic(stack, place, *words, tenant=None, **options):
    """restic of the distribution on the repository at `place`, BUCKET/PREFIX; its cache is empty in the beginning."""
    environment = stack.client_environment(tenant) | {
        "RESTIC_REPOSITORY": f"s3:{stack.https_url}/{place}",
        "RESTIC_PASSWORD": "correct horse",
    }
    return run(["restic", "--cacert", stack.authority.ca, *words], environment, **options)


def s3fs_program(stack, scene, bucket, tenant=None):
    """Runs one scene of s3fs_scenes.py in s3fs's environment, where nothing else is installed."""
    words = [S3FS_PYTHON, pathlib.Path(__file__).with_name("s3fs_scenes.py"), scene, bucket]
    return run(words, stack.client_environment(tenant))


def curl(stack, *words, tenant=None, signed=True, **options):
    """curl over TLS; `signed` lets curl itself sign."""
    credentials = stack.credentials(tenant)
    signing = [
        "--aws-sigv4",
        f"aws:amz:{stack.settings['region']}:s3",
        "--user",
        f"{credentials.access_key_id}:{credentials.secret_access_key}",
    ]
    common = [
        "curl",
        "--silent",
        "--show-error",
        "--fail-with-body",
        "--max-time",
        SECONDS,
        "--cacert",
        stack.authority.ca,
    ]
    return run(common + (signing if signed else []) + list(words), stack.environment, **options)


def tree(directory):
    """Returns {relative path: sha256} of every file below a directory."""
    root = pathlib.Path(directory)
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }
