"""The database was put back from a backup: what the workers wrote down after that backup must not win later."""

import shutil

from support.comparing import findings
from support.recovery import lose_database, rebuild, settle, worker
from support.sigv4 import Credentials


def test_after_a_restore_a_rebuild_brings_back_the_restored_configuration(stacks):
    stack = stacks.files(reconcile_grace="0s")
    stack.start()
    bucket = stack.new_bucket("alice")
    stack.raw("alice").request("PUT", f"/{bucket}/key", b"content")
    settle(stack)
    stack.stop()
    backup = shutil.copyfile(stack.database_path, stack.directory / "backup.db")
    stack.start()
    # The time that is lost.
    lost = stack.create_key("alice")
    stack.create_tenant("eve")
    for _ in range(5):
        stack.s3gw("key", "disable", lost.access_key_id)
        stack.s3gw("key", "enable", lost.access_key_id)
    settle(stack)
    stack.stop()
    shutil.copyfile(backup, stack.database_path)
    stack.database_path.chmod(0o600)
    stack.start()
    del stack.tenants["eve"]
    # Another tenant with the number that the lost one had.
    stack.create_tenant("mallory")
    assert worker(stack, "reconcile").returncode in (0, 1)
    settle(stack)
    for _ in range(2):
        worker(stack, "reconcile")
        settle(stack)
    assert worker(stack, "reconcile").returncode == 0 and findings(stack) == []

    before = sorted(row["accessKeyId"] for row in stack.s3gw_json("key", "list"))
    stack.stop()
    lose_database(stack)
    stack.add_file_backend("fi", "FI", "--jurisdiction", "EU")
    print(rebuild(stack))
    stack.start()
    assert [row["name"] for row in stack.s3gw_json("tenant", "list")] == ["alice", "bob", "mallory"]
    assert sorted(row["accessKeyId"] for row in stack.s3gw_json("key", "list")) == before
    assert lost.access_key_id not in before
    assert stack.raw("alice").request("GET", f"/{bucket}/key").body == b"content"
    assert stack.raw("mallory").request("GET", "/").status == 200
    assert stack.raw(credentials=Credentials(lost.access_key_id, lost.secret_access_key)).request("GET", "/").status == 403
