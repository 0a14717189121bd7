"""What the worker ends by lifecycle rules.

No test waits for days: what is old is made so by its row in the database.
"""

import datetime
import re
import sqlite3

import pytest
from botocore.exceptions import ClientError

from support import ledger
from support.lifecycle import EVERYTHING, code, enable_versioning, expire, rule, set_rules
from support.processes import wait_until
from test_rebuild import lose_database, rebuild, settle

DAY = 86_400_000
TWO = {"replicas": {"count": 2, "distinct": "country", "acknowledge": 1}}


@pytest.fixture
def stack(stacks):
    """A gateway of one test's own, whose worker looks at the rules whenever it is run."""
    stack = stacks.files(lifecycle_interval="0s")
    stack.set_policy(TWO, "--tenant", "alice")
    stack.start()
    yield stack
    stack.stop()


@pytest.fixture
def s3(stack):
    return stack.boto3("alice")


@pytest.fixture
def bucket(stack):
    return stack.new_bucket("alice")


def age(stack, bucket, key, days, version=None):
    """Makes the versions of a key, or one of them, older by `days`, as if they had been written then."""
    with sqlite3.connect(stack.database_path, timeout=30) as connection:
        changed = connection.execute(
            """UPDATE versions SET last_modified = last_modified - ?
            WHERE bucket_id = (SELECT id FROM buckets WHERE name = ? AND is_removed = 0) AND key = ?
            AND (? IS NULL OR sequence = ?)""",
            (days * DAY, bucket.encode(), key.encode(), version, version),
        ).rowcount
        connection.execute(
            """UPDATE objects SET last_modified = (SELECT last_modified FROM versions v
                WHERE v.sequence = objects.sequence) WHERE key = ?""",
            (key.encode(),),
        )
        assert changed > 0
    connection.close()


def sequences(stack, bucket, key):
    """The sequences of a key's living versions, the oldest first."""
    rows = stack.query(
        """SELECT sequence FROM versions WHERE state = 'live' AND key = ?
        AND bucket_id = (SELECT id FROM buckets WHERE name = ? AND is_removed = 0) ORDER BY sequence""",
        key.encode(),
        bucket.encode(),
    )
    return [row[0] for row in rows]


def keys(s3, bucket):
    return [each["Key"] for each in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def history(stack, bucket, key):
    """The versions of a key, newest first: `marker` for a delete marker, else the size."""
    answer = stack.raw("alice").request("GET", f"/{bucket}?versions&prefix={key}")
    assert answer.status == 200, answer.body
    found = re.findall(r"<(Version|DeleteMarker)><Key>([^<]*)</Key>(.*?)</\1>", answer.body.decode())
    entries = [(kind, inside) for kind, name, inside in found if name == key]
    sizes = [re.search(r"<Size>(.*)</Size>", inside) for _, inside in entries]
    return ["marker" if size is None else size[1] for size in sizes]


def stored(stack):
    """The files with objects' bytes on all backends."""
    return [path for path in stack.stored() if path.endswith("%data")]


def put_sized(s3, bucket, key, *sizes):
    for size in sizes:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x" * size)


# What the worker ends.


def test_an_old_object_goes_with_all_its_replicas(stack, s3, bucket):
    for key in ("logs/old", "logs/new", "kept/old"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x" * 100)
    stack.worker_once()
    assert len(stored(stack)) == 6
    set_rules(s3, bucket, expire(days=3, prefix="logs/"))
    age(stack, bucket, "logs/old", 4)
    age(stack, bucket, "kept/old", 4)
    age(stack, bucket, "logs/new", 1)
    assert "expired 1" in stack.worker_once().stdout
    assert keys(s3, bucket) == ["kept/old", "logs/new"]
    assert len(stored(stack)) == 4, "the replicas of the other two"
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket=bucket, Key="logs/old")
    assert code(error) == ("NoSuchKey", 404)
    assert stack.s3gw_json("jobs", "list") == []
    assert stack.query("SELECT COUNT(*) FROM ledger WHERE event = 'removed'")[0][0] == 2
    assert ledger.is_whole(stack.database_path)


def test_an_object_on_its_last_day_stays(stack, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    set_rules(s3, bucket, expire(days=2))
    now = datetime.datetime.now(datetime.timezone.utc)
    if now.hour == 23 and now.minute >= 58:
        pytest.skip("midnight is too near to say what today is")
    age(stack, bucket, "k", 2)
    stack.worker_once()
    assert keys(s3, bucket) == ["k"], "two days have passed, but no midnight since"
    age(stack, bucket, "k", 1)
    stack.worker_once()
    assert keys(s3, bucket) == []


def test_a_date_that_has_come(stack, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    today = datetime.datetime.now(datetime.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    set_rules(s3, bucket, rule(Expiration={"Date": today + datetime.timedelta(days=2)}))
    stack.worker_once()
    assert keys(s3, bucket) == ["k"]
    set_rules(s3, bucket, rule(Expiration={"Date": today}))
    stack.worker_once()
    assert keys(s3, bucket) == []


def test_with_versioning_a_marker_takes_the_objects_place(stack, s3, bucket):
    enable_versioning(s3, bucket)
    put_sized(s3, bucket, "k", 1)
    set_rules(s3, bucket, expire())
    age(stack, bucket, "k", 3)
    stack.worker_once()
    assert history(stack, bucket, "k") == ["marker", "1"]
    assert keys(s3, bucket) == []
    stack.worker_once()
    assert history(stack, bucket, "k") == ["marker", "1"], "no marker upon a marker, and the version stays"
    assert len(stored(stack)) == 2


def test_with_versioning_suspended_the_null_version_goes(stack, s3, bucket):
    put_sized(s3, bucket, "k", 1)
    enable_versioning(s3, bucket)
    put_sized(s3, bucket, "k", 2)
    enable_versioning(s3, bucket, "Suspended")
    set_rules(s3, bucket, expire())
    age(stack, bucket, "k", 3)
    stack.worker_once()
    assert history(stack, bucket, "k") == ["marker", "2"]
    markers = s3.list_object_versions(Bucket=bucket)["DeleteMarkers"]
    assert [each["VersionId"] for each in markers] == ["null"]


def test_noncurrent_versions_go_by_the_time_since_they_are(stack, s3, bucket):
    enable_versioning(s3, bucket)
    put_sized(s3, bucket, "k", 1, 2, 3)
    set_rules(s3, bucket, rule(NoncurrentVersionExpiration={"NoncurrentDays": 5}))
    first, second, third = sequences(stack, bucket, "k")
    # The first one was written long ago, but hidden a moment ago only.
    age(stack, bucket, "k", 100, version=first)
    stack.worker_once()
    assert history(stack, bucket, "k") == ["3", "2", "1"]
    age(stack, bucket, "k", 50, version=second)
    stack.worker_once()
    assert history(stack, bucket, "k") == ["3", "2"], "the second has hidden the first for 50 days"
    age(stack, bucket, "k", 30, version=third)
    stack.worker_once()
    assert history(stack, bucket, "k") == ["3"]
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"xxx"
    assert len(stored(stack)) == 2


def test_newer_noncurrent_versions_stay(stack, s3, bucket):
    enable_versioning(s3, bucket)
    put_sized(s3, bucket, "k", 1, 2, 3, 4, 5)
    put_sized(s3, bucket, "k2", 1, 2)
    s3.delete_object(Bucket=bucket, Key="k2")
    set_rules(
        s3, bucket, rule(NoncurrentVersionExpiration={"NoncurrentDays": 1, "NewerNoncurrentVersions": 2})
    )
    age(stack, bucket, "k", 10)
    age(stack, bucket, "k2", 10)
    stack.worker_once()
    assert history(stack, bucket, "k") == ["5", "4", "3"]
    assert history(stack, bucket, "k2") == ["marker", "2", "1"]


def test_a_marker_that_hides_nothing_goes(stack, s3, bucket):
    enable_versioning(s3, bucket)
    for key in ("alone", "hides", "gone"):
        put_sized(s3, bucket, key, 1)
        s3.delete_object(Bucket=bucket, Key=key)
    alone = s3.list_object_versions(Bucket=bucket, Prefix="alone")["Versions"][0]["VersionId"]
    s3.delete_object(Bucket=bucket, Key="alone", VersionId=alone)
    set_rules(s3, bucket, rule(Expiration={"ExpiredObjectDeleteMarker": False}))
    stack.worker_once()
    assert history(stack, bucket, "alone") == ["marker"]
    set_rules(
        s3,
        bucket,
        rule(id="markers", Expiration={"ExpiredObjectDeleteMarker": True}),
        rule(id="versions", prefix="gone", NoncurrentVersionExpiration={"NoncurrentDays": 1}),
    )
    age(stack, bucket, "gone", 3)
    stack.worker_once()
    assert history(stack, bucket, "alone") == []
    assert history(stack, bucket, "hides") == ["marker", "1"]
    stack.worker_once()
    assert history(stack, bucket, "gone") == [], "the version goes first, and its marker by the next look"


def test_days_end_markers_that_hide_nothing_too(stack, s3, bucket):
    enable_versioning(s3, bucket)
    for key in ("old", "young"):
        s3.delete_object(Bucket=bucket, Key=key)
    age(stack, bucket, "old", 10)
    set_rules(s3, bucket, expire(days=5))
    stack.worker_once()
    assert history(stack, bucket, "old") == []
    assert history(stack, bucket, "young") == ["marker"]


def test_tags_and_sizes_choose(stack, s3, bucket):
    sizes = {"size10": 10, "size11": 11, "size19": 19, "size20": 20}
    for key, size in sizes.items():
        s3.put_object(Bucket=bucket, Key=key, Body=b"x" * size)
    for key, tags in {"tag1": "a=1", "tag2": "a=1&b=2", "tag3": "b=2", "tag4": "a=2&b=2"}.items():
        s3.put_object(Bucket=bucket, Key=key, Body=b"x", Tagging=tags)
    both = {"And": {"Prefix": "tag", "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]}}
    between = {"And": {"ObjectSizeGreaterThan": 10, "ObjectSizeLessThan": 20}}
    set_rules(s3, bucket, expire(id="tags", Filter=both), expire(id="sizes", Filter=between))
    for key in keys(s3, bucket):
        age(stack, bucket, key, 3)
    stack.worker_once()
    assert keys(s3, bucket) == ["size10", "size20", "tag1", "tag3", "tag4"]
    s3.put_object_tagging(Bucket=bucket, Key="tag3", Tagging={"TagSet": both["And"]["Tags"]})
    stack.worker_once()
    assert keys(s3, bucket) == ["size10", "size20", "tag1", "tag4"], "a tag of today counts for an object of old"


def test_uploads_that_nobody_completes_end(stack, s3, bucket):
    uploads = {}
    for key in ("tmp/old", "tmp/new", "other/old"):
        uploads[key] = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        s3.upload_part(Bucket=bucket, Key=key, UploadId=uploads[key], PartNumber=1, Body=b"x" * 100)
    with sqlite3.connect(stack.database_path, timeout=30) as connection:
        connection.execute(
            "UPDATE uploads SET initiated_at = initiated_at - ? WHERE CAST(key AS TEXT) LIKE '%/old'", (4 * DAY,)
        )
    connection.close()
    set_rules(s3, bucket, rule(prefix="tmp/", AbortIncompleteMultipartUpload={"DaysAfterInitiation": 3}))
    before = len(stack.stored())
    stack.worker_once()
    left = [each["Key"] for each in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]]
    assert left == ["other/old", "tmp/new"]
    assert len(stack.stored()) < before, "its parts are gone from the backends"
    with pytest.raises(ClientError) as error:
        s3.upload_part(Bucket=bucket, Key="tmp/old", UploadId=uploads["tmp/old"], PartNumber=2, Body=b"x")
    assert code(error) == ("NoSuchUpload", 404)
    s3.upload_part(Bucket=bucket, Key="tmp/new", UploadId=uploads["tmp/new"], PartNumber=2, Body=b"x")


def insert_expire_jobs(stack, bucket):
    """Asks for a job about every living version, as a look does that found them all due a moment ago."""
    with sqlite3.connect(stack.database_path, timeout=30) as connection:
        connection.execute(
            """INSERT INTO jobs (
                kind, urgency, bucket_id, version_id, backend_id, state, not_before, due_at, created_at)
            SELECT 'expire', 2, v.bucket_id, v.id, (SELECT MIN(id) FROM backends), 'ready', 0, 0, 0
            FROM versions v JOIN buckets b ON b.id = v.bucket_id WHERE b.name = ? AND v.state = 'live'""",
            (bucket.encode(),),
        )
    connection.close()


def test_what_was_rewritten_after_the_look_stays(stack, s3, bucket):
    versioned = stack.new_bucket("alice")
    enable_versioning(s3, versioned)
    for name in (bucket, versioned):
        put_sized(s3, name, "k", 1)
        put_sized(s3, name, "tagged", 1)
        put_sized(s3, name, "old", 1)
        set_rules(s3, name, expire(Filter={"Tag": {"Key": "temp", "Value": "yes"}}))
        for key in ("k", "tagged", "old"):
            s3.put_object_tagging(
                Bucket=name, Key=key, Tagging={"TagSet": [{"Key": "temp", "Value": "yes"}]}
            )
            age(stack, name, key, 9)
        insert_expire_jobs(stack, name)
    # What the look saw is not what the jobs will find.
    for name in (bucket, versioned):
        s3.put_object(Bucket=name, Key="k", Body=b"precious", Tagging="temp=yes")
        s3.delete_object_tagging(Bucket=name, Key="tagged")
    assert "expired 2" in stack.worker_once().stdout
    for name in (bucket, versioned):
        assert s3.get_object(Bucket=name, Key="k")["Body"].read() == b"precious"
        assert keys(s3, name) == ["k", "tagged"]
    assert history(stack, versioned, "k") == ["8", "1"]
    assert stack.s3gw_json("jobs", "list") == []


def test_rules_that_are_disabled_or_gone_end_nothing(stack, s3, bucket):
    put_sized(s3, bucket, "k", 1)
    age(stack, bucket, "k", 9)
    set_rules(s3, bucket, expire(status="Disabled"))
    stack.worker_once()
    assert keys(s3, bucket) == ["k"]
    assert "Expiration" not in s3.head_object(Bucket=bucket, Key="k")
    set_rules(s3, bucket, expire())
    insert_expire_jobs(stack, bucket)
    s3.delete_bucket_lifecycle(Bucket=bucket)
    stack.worker_once()
    assert keys(s3, bucket) == ["k"], "the job was there already, and the rule is not there any more"
    set_rules(s3, bucket, expire())
    stack.worker_once()
    assert keys(s3, bucket) == []
    s3.delete_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    with pytest.raises(ClientError) as error:
        s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    assert code(error) == ("NoSuchLifecycleConfiguration", 404)


def test_a_look_is_taken_once_in_an_interval(stacks):
    stack = stacks.files(lifecycle_interval="24h")
    stack.start()
    s3 = stack.boto3("alice")
    bucket = stack.new_bucket("alice")
    set_rules(s3, bucket, expire())
    put_sized(s3, bucket, "first", 1)
    age(stack, bucket, "first", 3)
    stack.worker_once()
    assert keys(s3, bucket) == []
    put_sized(s3, bucket, "second", 1)
    age(stack, bucket, "second", 3)
    stack.worker_once()
    assert keys(s3, bucket) == ["second"], "the next look is tomorrow"
    with sqlite3.connect(stack.database_path, timeout=30) as connection:
        connection.execute("UPDATE lifecycle_pass SET begun_at = begun_at - ?", (DAY,))
    connection.close()
    stack.worker_once()
    assert keys(s3, bucket) == []
    stack.stop()


def test_another_workers_look_is_left_to_it(stack, s3, bucket):
    set_rules(s3, bucket, expire())
    put_sized(s3, bucket, "k", 1)
    stack.worker_once()
    age(stack, bucket, "k", 3)

    def lease(seconds):
        with sqlite3.connect(stack.database_path, timeout=30) as connection:
            connection.execute(
                """UPDATE lifecycle_pass SET finished_at = NULL, lease_owner = 'other:1', bucket_id = 0,
                lease_until = (strftime('%s', 'now') + ?) * 1000""",
                (seconds,),
            )
        connection.close()

    lease(50)
    stack.worker_once()
    assert keys(s3, bucket) == ["k"]
    lease(-1)
    stack.worker_once()
    assert keys(s3, bucket) == [], "its lease is over: somebody else goes on"


def test_a_running_worker_ends_them_by_itself(stack, s3, bucket):
    for number in range(30):
        put_sized(s3, bucket, f"k{number}", 1)
        age(stack, bucket, f"k{number}", 3)
    put_sized(s3, bucket, "kept", 1)
    set_rules(s3, bucket, expire())
    for _ in range(2):
        stack.start_worker()
    wait_until(lambda: keys(s3, bucket) == ["kept"], "the rules are kept", 60)
    wait_until(lambda: len(stored(stack)) == 2, "nothing of the others is left", 60)


def test_a_rebuilt_database_knows_the_rules(stack, s3, bucket):
    put_sized(s3, bucket, "k", 1)
    set_rules(s3, bucket, *EVERYTHING)
    before = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    settle(stack)
    stack.stop()
    lose_database(stack)
    stack.add_file_backend("fi", "FI", "--jurisdiction", "EU", directory=stack.backends["fi"])
    rebuild(stack)
    stack.start()
    after = stack.boto3("alice").get_bucket_lifecycle_configuration(Bucket=bucket)
    for answer in (before, after):
        del answer["ResponseMetadata"]
    assert after == before
