"""Configuration: one file, environment and flags; what is unknown or wrong is named with file, line and remedy."""

import os
import subprocess

import pytest

from support import paths

PROGRAMS = (["s3gw-fcgi"], ["s3gw-worker", "once"], ["s3gw", "status"])


def run(stack, words, *extra, environment=None):
    return subprocess.run(
        [paths.BINARIES / words[0], *words[1:], *map(str, extra)],
        capture_output=True,
        text=True,
        timeout=20,
        env=stack.environment | (environment or {}),
        cwd=stack.directory,
    )


@pytest.fixture
def stack(stacks):
    return stacks.bare()


@pytest.mark.parametrize("words", PROGRAMS, ids=lambda words: words[0])
@pytest.mark.parametrize(
    "wrong, nearest",
    [("treads", "threads"), ("spool_directory", "spool-directory"), ("data-base", "database"), ("Region", "region")],
)
def test_an_unknown_key_is_refused_with_file_line_and_the_nearest_known_one(stack, words, wrong, nearest):
    stack.configuration.write_text(stack.configuration.read_text() + f"\n# a comment\n{wrong} = 1\n")
    line = stack.configuration.read_text().splitlines().index(f"{wrong} = 1") + 1
    result = run(stack, words, "--config", stack.configuration)
    assert result.returncode in (1, 2, 3, 64, 78)
    text = result.stdout + result.stderr
    assert f"{stack.configuration}:{line}" in text and wrong in text and nearest in text.replace(wrong, "", 1), text


@pytest.mark.parametrize(
    "line",
    [
        "threads = many",
        "threads = 0",
        "threads = -1",
        "threads = 99999999999999999999",
        "log-level = shouting",
        "threads",
        "= 4",
        "region = UPPER CASE",
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_with_file_and_line(stack, line):
    key = line.partition("=")[0].strip()
    kept = [each for each in stack.configuration.read_text().splitlines() if not key or not each.startswith(f"{key} ")]
    stack.configuration.write_text("\n".join(kept + [line]) + "\n")
    result = run(stack, ["s3gw-fcgi"], "--config", stack.configuration)
    assert result.returncode != 0
    assert f"{stack.configuration}:{len(kept) + 1}" in result.stdout + result.stderr


def test_every_problem_is_told_at_once(stack):
    stack.configuration.write_text(stack.configuration.read_text() + "treads = 1\nlog-levle = info\n")
    result = run(stack, ["s3gw-fcgi"], "--config", stack.configuration)
    assert "treads" in result.stderr + result.stdout and "log-levle" in result.stderr + result.stdout


def test_a_configuration_file_that_is_not_there_is_named(stack):
    result = run(stack, ["s3gw", "status"], "--config", stack.directory / "no-such.conf")
    assert result.returncode != 0 and "no-such.conf" in result.stderr + result.stdout


def test_a_flag_beats_the_environment_and_the_environment_beats_the_file(stack):
    other = stack.directory / "other.db"
    result = run(stack, ["s3gw", "tenant", "list"], environment={"S3GW_DATABASE": str(other)})
    assert result.returncode != 0 and str(other) in result.stderr + result.stdout
    result = run(
        stack, ["s3gw", "tenant", "list"], "--database", stack.database_path, environment={"S3GW_DATABASE": str(other)}
    )
    assert result.returncode == 0, result.stderr


def test_the_master_key_file_must_be_private(stack):
    key = stack.directory / "master.key"
    key.chmod(0o644)
    result = run(stack, ["s3gw-fcgi"], "--config", stack.configuration)
    assert result.returncode != 0 and "master.key" in result.stderr + result.stdout


def test_without_a_master_key_nothing_starts(stack):
    (stack.directory / "master.key").unlink()
    for words in (["s3gw-fcgi"], ["s3gw-worker", "once"]):
        result = run(stack, words, "--config", stack.configuration)
        assert result.returncode != 0 and "master" in result.stderr + result.stdout


def test_another_master_key_opens_nothing_and_says_so(stack, stacks):
    stack.create_tenant("alice")
    other = stacks.bare()
    key = stack.directory / "master.key"
    key.chmod(0o600)
    key.write_bytes((other.directory / "master.key").read_bytes())
    result = run(stack, ["s3gw-fcgi"], "--config", stack.configuration)
    assert result.returncode != 0 and "master" in (result.stderr + result.stdout).lower()


def test_check_config_says_whether_the_pool_could_start(stack):
    check = ["s3gw-fcgi", "check-config"]
    good = run(stack, check, "--config", stack.configuration)
    assert good.returncode == 0 and f"database = {stack.database_path}" in good.stdout, good
    key = stack.directory / "master.key"

    def refused(*words):
        result = run(stack, check, "--config", stack.configuration)
        assert result.returncode == 2 and all(word in result.stderr for word in words), result

    key.chmod(0o644)
    refused("chmod 400", str(key))
    key.chmod(0o400)
    key.rename(stack.directory / "away.key")
    refused(str(key), "s3gw init")
    (stack.directory / "away.key").rename(key)
    stack.settings["socket"] = stack.directory / "no-such-directory" / "s3gw.sock"
    stack.write_configuration()
    refused("no-such-directory", "make it")
    stack.settings["socket"] = stack.socket
    stack.write_configuration()
    stack.database_path.rename(stack.directory / "away.db")
    refused(str(stack.database_path), "s3gw init makes a new one")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a program as somebody else")
def test_a_database_of_another_user_is_told_as_that(stack):
    """`s3gw init` was run by root: a new database is not what helps."""
    for path in stack.directory, stack.spool:
        os.chown(path, 65534, 65534)
    somebody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    for words in (["s3gw", "status"], ["s3gw-worker", "once"], ["s3gw-fcgi"]):
        result = subprocess.run(
            [*somebody, paths.BINARIES / words[0], *words[1:], "--config", stack.configuration],
            capture_output=True, text=True, timeout=20, env=stack.environment, cwd="/",
        )  # fmt: skip
        assert result.returncode in (2, 3), result
        assert "user id 65534 cannot" in result.stderr and "init makes" not in result.stderr, result.stderr
