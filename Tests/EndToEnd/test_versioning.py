"""Versioning: enabled, suspended, null versions, delete markers, and the listing of versions."""

import pytest
from botocore.exceptions import ClientError

CONFIGURATION = "<VersioningConfiguration><Status>{}</Status></VersioningConfiguration>"


def code(error):
    return error.value.response["Error"]["Code"], error.value.response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture(scope="module")
def client(world):
    return world.boto3("alice")


@pytest.fixture
def versioned(world, client):
    bucket = world.new_bucket("alice")
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


def suspend(client, bucket):
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


def put(client, bucket, key, body):
    return client.put_object(Bucket=bucket, Key=key, Body=body).get("VersionId")


def read(client, bucket, key, version=None):
    return client.get_object(Bucket=bucket, Key=key, **({"VersionId": version} if version else {}))["Body"].read()


def listed(client, bucket, **options):
    page = client.list_object_versions(Bucket=bucket, **options)
    entries = [(v["Key"], v["VersionId"], v["IsLatest"], "object") for v in page.get("Versions", [])]
    return sorted(
        entries + [(v["Key"], v["VersionId"], v["IsLatest"], "marker") for v in page.get("DeleteMarkers", [])]
    )


def test_the_configuration_of_a_bucket(bucket, gateway):
    client = gateway.boto3("alice")
    assert "Status" not in client.get_bucket_versioning(Bucket=bucket)
    for status in ("Enabled", "Suspended", "Enabled"):
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
        assert client.get_bucket_versioning(Bucket=bucket)["Status"] == status


@pytest.mark.parametrize(
    "document, status, name",
    [
        (CONFIGURATION.format("On"), 400, "MalformedXML"),
        ("<VersioningConfiguration/>", 400, "IllegalVersioningConfigurationException"),
        ("<Other><Status>Enabled</Status></Other>", 400, "MalformedXML"),
        ("<VersioningConfiguration><Status>Enabled</Status>", 400, "MalformedXML"),
        (CONFIGURATION.format("Enabled</Status><Status>Suspended"), 400, "MalformedXML"),
        (CONFIGURATION.format("Enabled</Status><MfaDelete>Enabled</MfaDelete><Status>Enabled"), 501, "NotImplemented"),
    ],
)
def test_a_configuration_that_is_refused(raw, bucket, document, status, name):
    answer = raw.request("PUT", f"/{bucket}?versioning", document.encode())
    assert (answer.status, answer.code) == (status, name)
    assert raw.request("GET", f"/{bucket}?versioning").xml.findtext("Status") is None


def test_every_version_can_be_read(client, versioned):
    ids = [put(client, versioned, "k", body) for body in (b"1", b"22", b"333")]
    assert len(set(ids)) == 3 and "null" not in ids
    assert read(client, versioned, "k") == b"333"
    for version, body in zip(ids, (b"1", b"22", b"333")):
        assert read(client, versioned, "k", version) == body
        head = client.head_object(Bucket=versioned, Key="k", VersionId=version)
        assert (head["VersionId"], head["ContentLength"]) == (version, len(body))
    assert [entry["Key"] for entry in client.list_objects_v2(Bucket=versioned)["Contents"]] == ["k"]
    assert listed(client, versioned) == sorted(
        ("k", version, version == ids[2], "object") for version in ids
    )


def test_an_unversioned_bucket_says_nothing_of_versions(raw, bucket):
    answer = raw.request("PUT", f"/{bucket}/k", b"x")
    assert answer.header("x-amz-version-id") is None
    assert raw.request("GET", f"/{bucket}/k").header("x-amz-version-id") is None
    assert raw.request("GET", f"/{bucket}/k?versionId=null").body == b"x"
    assert raw.request("DELETE", f"/{bucket}/k").header("x-amz-version-id") is None


def test_a_delete_marker_hides_and_its_removal_brings_back(client, versioned, world):
    version = put(client, versioned, "k", b"kept")
    deleted = client.delete_object(Bucket=versioned, Key="k")
    assert deleted["DeleteMarker"] is True and deleted["VersionId"] != version
    raw = world.raw("alice")
    for method in ("GET", "HEAD"):
        answer = raw.request(method, f"/{versioned}/k")
        assert answer.status == 404
        assert answer.header("x-amz-delete-marker") == "true"
        assert answer.header("x-amz-version-id") == deleted["VersionId"]
        answer = raw.request(method, f"/{versioned}/k?versionId={deleted['VersionId']}")
        assert answer.status == 405
        assert answer.header("x-amz-delete-marker") == "true" and answer.header("Allow") == "DELETE"
    assert "Contents" not in client.list_objects_v2(Bucket=versioned)
    assert read(client, versioned, "k", version) == b"kept"
    removed = client.delete_object(Bucket=versioned, Key="k", VersionId=deleted["VersionId"])
    assert removed["DeleteMarker"] is True and removed["VersionId"] == deleted["VersionId"]
    assert read(client, versioned, "k") == b"kept"


def test_deleting_the_newest_version_makes_the_one_before_current(client, versioned, world):
    first, second = put(client, versioned, "k", b"1"), put(client, versioned, "k", b"2")
    removed = client.delete_object(Bucket=versioned, Key="k", VersionId=second)
    assert removed["VersionId"] == second and "DeleteMarker" not in removed
    assert read(client, versioned, "k") == b"1"
    with pytest.raises(ClientError) as error:
        read(client, versioned, "k", second)
    assert code(error) == ("NoSuchVersion", 404)
    client.delete_object(Bucket=versioned, Key="k", VersionId=first)
    with pytest.raises(ClientError) as error:
        read(client, versioned, "k")
    assert code(error) == ("NoSuchKey", 404)
    assert listed(client, versioned) == []
    world.worker_once()
    client.delete_bucket(Bucket=versioned)


def test_what_was_there_before_versioning_is_the_null_version(bucket, gateway):
    client = gateway.boto3("alice")
    put(client, bucket, "k", b"before")
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert client.head_object(Bucket=bucket, Key="k")["VersionId"] == "null"
    version = put(client, bucket, "k", b"after")
    assert read(client, bucket, "k") == b"after"
    assert read(client, bucket, "k", "null") == b"before"
    assert [entry[1] for entry in listed(client, bucket)] == sorted([version, "null"])
    client.delete_object(Bucket=bucket, Key="k", VersionId="null")
    with pytest.raises(ClientError) as error:
        read(client, bucket, "k", "null")
    assert code(error) == ("NoSuchVersion", 404)


def test_a_suspended_bucket_replaces_its_null_version_only(client, versioned):
    kept = put(client, versioned, "k", b"kept")
    suspend(client, versioned)
    for body in (b"null 1", b"null 2"):
        assert put(client, versioned, "k", body) == "null"
    assert read(client, versioned, "k") == b"null 2"
    assert read(client, versioned, "k", kept) == b"kept"
    assert listed(client, versioned) == sorted([("k", kept, False, "object"), ("k", "null", True, "object")])
    deleted = client.delete_object(Bucket=versioned, Key="k")
    assert (deleted["VersionId"], deleted["DeleteMarker"]) == ("null", True)
    assert listed(client, versioned) == sorted([("k", kept, False, "object"), ("k", "null", True, "marker")])
    assert read(client, versioned, "k", kept) == b"kept"
    client.delete_object(Bucket=versioned, Key="k", VersionId="null")
    assert read(client, versioned, "k") == b"kept"


def test_many_deletes_with_versions(client, versioned):
    first, second = put(client, versioned, "a", b"1"), put(client, versioned, "a", b"2")
    marker = client.delete_object(Bucket=versioned, Key="b")["VersionId"]
    answer = client.delete_objects(
        Bucket=versioned,
        Delete={
            "Objects": [
                {"Key": "a", "VersionId": first},
                {"Key": "a"},
                {"Key": "b", "VersionId": marker},
                {"Key": "a", "VersionId": "no-version"},
            ]
        },
    )
    assert [(error["Key"], error["Code"]) for error in answer["Errors"]] == [("a", "NoSuchVersion")]
    one, two, three = answer["Deleted"]
    assert one == {"Key": "a", "VersionId": first}
    assert two["DeleteMarker"] is True and two["DeleteMarkerVersionId"] not in (first, second)
    assert three == {"Key": "b", "VersionId": marker, "DeleteMarker": True, "DeleteMarkerVersionId": marker}
    assert listed(client, versioned) == sorted(
        [("a", second, False, "object"), ("a", two["DeleteMarkerVersionId"], True, "marker")]
    )


def test_an_old_version_is_copied_back(client, versioned):
    first = put(client, versioned, "k", b"1")
    put(client, versioned, "k", b"2")
    answer = client.copy_object(
        Bucket=versioned, Key="k", CopySource={"Bucket": versioned, "Key": "k", "VersionId": first}
    )
    assert answer["CopySourceVersionId"] == first and answer["VersionId"] != first
    assert read(client, versioned, "k") == b"1"
    assert len(listed(client, versioned)) == 3
    marker = client.delete_object(Bucket=versioned, Key="k")["VersionId"]
    unknown = first[:-1] + ("1" if first[-1] == "0" else "0")
    for version, name in ((None, "NoSuchKey"), (marker, "InvalidRequest"), (unknown, "NoSuchVersion")):
        source = {"Bucket": versioned, "Key": "k"} | ({"VersionId": version} if version else {})
        with pytest.raises(ClientError) as error:
            client.copy_object(Bucket=versioned, Key="copy", CopySource=source)
        assert code(error)[0] == name


def test_a_bucket_with_versions_or_markers_is_not_empty(client, versioned):
    put(client, versioned, "k", b"1")
    client.delete_object(Bucket=versioned, Key="k")
    with pytest.raises(ClientError) as error:
        client.delete_bucket(Bucket=versioned)
    assert code(error) == ("BucketNotEmpty", 409)


@pytest.mark.parametrize("version", ["", "x", "NULL", "01ARZ3NDEKTSV4RRFFQ69G5FA", "8" * 26])
def test_what_is_no_version_id(raw, bucket, version):
    raw.request("PUT", f"/{bucket}/k", b"x")
    for method in ("GET", "DELETE"):
        answer = raw.request(method, f"/{bucket}/k?versionId={version}")
        assert (answer.status, answer.code) == (400, "InvalidArgument")
    assert raw.request("GET", f"/{bucket}/k").body == b"x"


def test_conditions_see_the_current_version_and_not_a_marker(client, versioned):
    put(client, versioned, "k", b"1")
    with pytest.raises(ClientError) as error:
        client.put_object(Bucket=versioned, Key="k", Body=b"2", IfNoneMatch="*")
    assert code(error) == ("PreconditionFailed", 412)
    client.delete_object(Bucket=versioned, Key="k")
    client.put_object(Bucket=versioned, Key="k", Body=b"3", IfNoneMatch="*")
    assert read(client, versioned, "k") == b"3"


# The listing of versions.


def test_pages_of_versions_are_the_whole_listing(client, versioned):
    for key in ("a", "dir/1", "dir/2", "ä &<>", "z"):
        for body in (b"1", b"2", b"3"):
            put(client, versioned, key, body)
    client.delete_object(Bucket=versioned, Key="dir/1")
    whole = listed(client, versioned)
    assert len(whole) == 16
    for size in (1, 2, 5, 16):
        pages = client.get_paginator("list_object_versions").paginate(
            Bucket=versioned, PaginationConfig={"PageSize": size}
        )
        found = [
            (entry["Key"], entry["VersionId"], entry["IsLatest"], kind)
            for page in pages
            for name, kind in (("Versions", "object"), ("DeleteMarkers", "marker"))
            for entry in page.get(name, [])
        ]
        assert sorted(found) == whole
    page = client.list_object_versions(Bucket=versioned, Delimiter="/", MaxKeys=4)
    assert page["IsTruncated"] and (page["NextKeyMarker"], page.get("CommonPrefixes")) == (
        "dir/",
        [{"Prefix": "dir/"}],
    )
    rest = client.list_object_versions(Bucket=versioned, Delimiter="/", KeyMarker="dir/")
    assert {entry["Key"] for entry in rest["Versions"]} == {"z", "ä &<>"}
    assert {entry[0] for entry in listed(client, versioned, Prefix="dir/")} == {"dir/1", "dir/2"}


def test_a_page_after_a_version_that_was_removed_repeats_nothing(world, client, versioned):
    ids = [put(client, versioned, "k", b"%d" % number) for number in range(8)]
    put(client, versioned, "z", b"z")
    page = client.list_object_versions(Bucket=versioned, MaxKeys=3)
    assert [each["VersionId"] for each in page["Versions"]] == ids[:4:-1]
    marker = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
    for version in (ids[5], ids[3]):
        client.delete_object(Bucket=versioned, Key="k", VersionId=version)
    world.worker_once()
    rest = client.list_object_versions(Bucket=versioned, **marker)
    assert [each["VersionId"] for each in rest["Versions"][:-1]] == [ids[4], *ids[2::-1]]
    assert rest["VersionIdMarker"] == marker["VersionIdMarker"]
    # A plain version id is a marker too.
    rest = client.list_object_versions(Bucket=versioned, KeyMarker="k", VersionIdMarker=ids[2])
    assert [each["VersionId"] for each in rest["Versions"][:-1]] == [ids[1], ids[0]]


def test_a_paginator_that_deletes_what_it_lists_comes_to_the_end(client, versioned):
    for number in range(25):
        put(client, versioned, f"k{number % 3}", b"x")
    for page in client.get_paginator("list_object_versions").paginate(
        Bucket=versioned, PaginationConfig={"PageSize": 4}
    ):
        client.delete_objects(
            Bucket=versioned,
            Delete={"Objects": [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in page["Versions"]]},
        )
    assert listed(client, versioned) == []


@pytest.mark.parametrize(
    "query", ["version-id-marker=null", "key-marker=k&version-id-marker=x", "max-keys=-1", "encoding-type=base64"]
)
def test_a_listing_of_versions_that_is_refused(raw, bucket, query):
    answer = raw.request("GET", f"/{bucket}?versions&{query}")
    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_no_entries_are_no_page(raw, bucket):
    raw.request("PUT", f"/{bucket}/k", b"x")
    document = raw.request("GET", f"/{bucket}?versions&max-keys=0").xml
    assert (document.findtext("IsTruncated"), document.find("Version")) == ("false", None)


def test_dead_versions_leave_the_backends(stacks):
    stack = stacks.files().start()
    client = stack.boto3("alice")
    client.create_bucket(Bucket="versioned")
    client.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    ids = [put(client, "versioned", "needle", b"x" * size) for size in (1001, 1002, 1003)]
    client.delete_object(Bucket="versioned", Key="needle")
    stack.worker_once()

    def sizes():
        return sorted(size for size in stack.stored().values() if 1000 < size < 1100)

    assert sizes() == [1001, 1002, 1003], "a marker removes nothing"
    client.delete_object(Bucket="versioned", Key="needle", VersionId=ids[1])
    stack.worker_once()
    assert sizes() == [1001, 1003]
