"""What the tests of comparing and scrubbing share."""

import sqlite3

from .recovery import worker


def reconcile(stack, finds, *words):
    """Compares all backends; `finds` says whether something is not as it should be."""
    result = worker(stack, "reconcile", *words)
    assert result.returncode == int(finds), result.stdout + result.stderr
    return result.stdout


def findings(stack):
    return sorted((each["kind"], each["backend"]) for each in stack.s3gw_json("reconcile", "findings"))


def change(stack, *statements):
    """Writes into the database behind the gateway's back."""
    connection = sqlite3.connect(stack.database_path, timeout=10)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()
