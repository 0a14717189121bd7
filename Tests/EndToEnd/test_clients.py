"""The S3 clients people use, at their defaults, over TLS, against directories and against three radosgw regions."""

import hashlib
import io
import json

import pytest

from support.clients import aws, curl, rclone, s3cmd, s5cmd, tree

SIZES = (0, 1, 4096, 65537, 5_000_001)
AWKWARD_NAMES = (
    "plain.txt",
    "with space.txt",
    "plus+and&ampersand.txt",
    "ä-ö-ü.txt",
    "deep/er/and/deeper.txt",
    "tilde~(1).txt",
)


@pytest.fixture
def local_tree(tmp_path, payload):
    root = tmp_path / "local"
    for index, name in enumerate(AWKWARD_NAMES):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(payload(SIZES[index % len(SIZES)]))
    return root


@pytest.fixture
def fresh(world):
    return world.new_bucket()


@pytest.mark.parametrize("size", SIZES)
def test_boto3_at_its_defaults_reads_back_what_it_put(world, fresh, payload, size):
    s3 = world.boto3()
    body = payload(size)
    put = s3.put_object(Bucket=fresh, Key="a/key with spaces & ünïcode", Body=body)
    got = s3.get_object(Bucket=fresh, Key="a/key with spaces & ünïcode")
    assert got["Body"].read() == body
    assert got["ETag"] == put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert got["ContentLength"] == size


def test_boto3_upload_file_and_download_file_keep_every_byte(world, fresh, payload, tmp_path):
    s3 = world.boto3()
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(payload(3_000_000))
    s3.upload_file(str(source), fresh, "file", ExtraArgs={"Metadata": {"purpose": "test"}, "ContentType": "text/plain"})
    s3.download_file(fresh, "file", str(target))
    assert target.read_bytes() == source.read_bytes()
    head = s3.head_object(Bucket=fresh, Key="file")
    assert head["Metadata"] == {"purpose": "test"} and head["ContentType"] == "text/plain"


def test_boto3_upload_fileobj_of_a_stream_keeps_every_byte(world, fresh, payload):
    s3 = world.boto3()
    body = payload(1_000_000)
    s3.upload_fileobj(io.BytesIO(body), fresh, "stream")
    sink = io.BytesIO()
    s3.download_fileobj(fresh, "stream", sink)
    assert sink.getvalue() == body


def test_boto3_presigned_urls_work_for_a_plain_http_client(world, fresh, payload, tmp_path):
    s3 = world.boto3()
    body = payload(100_000)
    (tmp_path / "body").write_bytes(body)
    put = s3.generate_presigned_url("put_object", Params={"Bucket": fresh, "Key": "pre signed+key"}, ExpiresIn=60)
    curl(world, "--upload-file", tmp_path / "body", put, signed=False)
    get = s3.generate_presigned_url("get_object", Params={"Bucket": fresh, "Key": "pre signed+key"}, ExpiresIn=60)
    assert curl(world, get, signed=False) == body


def test_aws_cli_makes_a_bucket_syncs_a_tree_and_removes_it(world, local_tree, tmp_path):
    name = world.new_bucket()
    aws(world, "s3", "mb", f"s3://{name}-2")
    aws(world, "s3", "sync", local_tree, f"s3://{name}-2/prefix")
    aws(world, "s3", "sync", f"s3://{name}-2/prefix", tmp_path / "back")
    assert tree(tmp_path / "back") == tree(local_tree)
    listing = aws(world, "s3", "ls", "--recursive", f"s3://{name}-2").decode()
    assert all(each in listing for each in AWKWARD_NAMES)
    assert f"{name}-2" in aws(world, "s3", "ls").decode()
    aws(world, "s3", "rb", "--force", f"s3://{name}-2")
    assert f"{name}-2" not in aws(world, "s3", "ls").decode()


def test_aws_cli_s3api_round_trip_with_a_checksum(world, fresh, payload, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(payload(70_000))
    put = json.loads(
        aws(
            world,
            "s3api",
            "put-object",
            "--bucket",
            fresh,
            "--key",
            "k",
            "--body",
            source,
            "--checksum-algorithm",
            "SHA256",
        )
    )
    head = json.loads(aws(world, "s3api", "head-object", "--bucket", fresh, "--key", "k", "--checksum-mode", "ENABLED"))
    assert head["ChecksumSHA256"] == put["ChecksumSHA256"]
    aws(world, "s3api", "get-object", "--bucket", fresh, "--key", "k", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == source.read_bytes()


def test_rclone_copies_a_tree_there_and_back_and_check_finds_no_difference(world, fresh, local_tree, tmp_path):
    rclone(world, "copy", local_tree, f"gw:{fresh}/tree")
    rclone(world, "check", "--download", local_tree, f"gw:{fresh}/tree")
    rclone(world, "copy", f"gw:{fresh}/tree", tmp_path / "back")
    assert tree(tmp_path / "back") == tree(local_tree)
    rclone(world, "delete", f"gw:{fresh}/tree")
    assert rclone(world, "lsf", "-R", f"gw:{fresh}") == b""


def test_s5cmd_copies_a_tree_there_and_back(world, fresh, local_tree, tmp_path):
    s5cmd(world, "cp", f"{local_tree}/", f"s3://{fresh}/tree/")
    (tmp_path / "back").mkdir()
    s5cmd(world, "cp", f"s3://{fresh}/tree/*", f"{tmp_path}/back/")
    assert tree(tmp_path / "back") == tree(local_tree)
    assert len(s5cmd(world, "ls", f"s3://{fresh}/tree/*").splitlines()) == len(AWKWARD_NAMES)
    s5cmd(world, "rm", f"s3://{fresh}/tree/*")
    assert world.boto3().list_objects_v2(Bucket=fresh)["KeyCount"] == 0


def test_s3cmd_puts_lists_gets_and_deletes(world, fresh, local_tree, tmp_path):
    s3cmd(world, "put", "--recursive", f"{local_tree}/", f"s3://{fresh}/tree/")
    listing = s3cmd(world, "ls", "--recursive", f"s3://{fresh}").decode()
    assert all(f"s3://{fresh}/tree/{each}" in listing for each in AWKWARD_NAMES)
    back = tmp_path / "back"
    back.mkdir()
    s3cmd(world, "get", "--recursive", f"s3://{fresh}/tree/", f"{back}/")
    assert tree(back) == tree(local_tree)
    s3cmd(world, "del", "--recursive", "--force", f"s3://{fresh}/tree/")
    assert s3cmd(world, "ls", "--recursive", f"s3://{fresh}") == b""


def test_curl_signs_for_itself(world, fresh, payload, tmp_path):
    body = payload(20_000)
    (tmp_path / "body").write_bytes(body)
    url = f"{world.https_url}/{fresh}/by-curl"
    digest = hashlib.sha256(body).hexdigest()
    curl(world, "--upload-file", tmp_path / "body", "--header", f"x-amz-content-sha256: {digest}", url)
    assert curl(world, "--header", f"x-amz-content-sha256: {hashlib.sha256(b'').hexdigest()}", url) == body
    listing = curl(
        world,
        "--header",
        f"x-amz-content-sha256: {hashlib.sha256(b'').hexdigest()}",
        f"{world.https_url}/{fresh}?list-type=2",
    )
    assert b"<Key>by-curl</Key>" in listing
    curl(world, "--request", "DELETE", "--header", f"x-amz-content-sha256: {hashlib.sha256(b'').hexdigest()}", url)
    assert world.boto3().list_objects_v2(Bucket=fresh)["KeyCount"] == 0


def test_what_one_client_wrote_every_other_reads(world, fresh, payload, tmp_path):
    body = payload(123_456)
    (tmp_path / "body").write_bytes(body)
    aws(world, "s3", "cp", tmp_path / "body", f"s3://{fresh}/by aws")
    rclone(world, "copyto", tmp_path / "body", f"gw:{fresh}/by rclone")
    s5cmd(world, "cp", tmp_path / "body", f"s3://{fresh}/by s5cmd")
    s3cmd(world, "put", tmp_path / "body", f"s3://{fresh}/by s3cmd")
    for writer in ("aws", "rclone", "s5cmd", "s3cmd"):
        key = f"by {writer}"
        assert world.boto3().get_object(Bucket=fresh, Key=key)["Body"].read() == body
        assert aws(world, "s3", "cp", f"s3://{fresh}/{key}", "-") == body
        assert rclone(world, "cat", f"gw:{fresh}/{key}") == body
        assert s5cmd(world, "cat", f"s3://{fresh}/{key}") == body
        assert s3cmd(world, "get", f"s3://{fresh}/{key}", "-") == body


def test_objects_lie_on_a_radosgw_region_under_a_hashed_bucket_name(radosgw_gateway, radosgw, payload):
    name = radosgw_gateway.new_bucket()
    body = payload(10_000)
    before = {region: radosgw[region].objects() for region in ("r1", "r2", "r3")}
    radosgw_gateway.boto3().put_object(Bucket=name, Key="where", Body=body)
    new = {region: set(radosgw[region].objects()) - set(before[region]) for region in ("r1", "r2", "r3")}
    holders = [region for region, keys in new.items() if keys]
    assert len(holders) == 1, new
    ((physical_bucket, physical_key),) = new[holders[0]]
    assert physical_bucket.startswith("s3gw-") and name not in physical_bucket and len(physical_bucket) <= 63
    assert "where" in physical_key
    client = radosgw[holders[0]].client()
    stored = client.get_object(Bucket=physical_bucket, Key=physical_key)
    assert stored["Body"].read() == body
    assert "&key=where&" in stored["Metadata"]["s3gw"], stored["Metadata"]
