"""What the tests of a lost database share: losing it, making it again, and everything that clients can see."""

import hashlib
import subprocess

from botocore.exceptions import ClientError

from . import paths
from .processes import wait_until


def worker(stack, *words):
    return subprocess.run(
        [paths.BINARIES / "s3gw-worker", *map(str, words), "--config", stack.configuration],
        capture_output=True,
        text=True,
        timeout=300,
        env=stack.environment,
        cwd=stack.directory,
    )


def rebuild(stack, *words):
    result = worker(stack, "rebuild", *words)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def lose_database(stack):
    for path in stack.directory.glob("s3gw.db*"):
        path.unlink()
    stack.s3gw("init")


def settle(stack):
    """Lets the worker do everything, also what is due some seconds later."""

    def is_settled():
        stack.worker_once()
        due = stack.query("SELECT COUNT(*) FROM records WHERE due_at IS NOT NULL")[0][0]
        return due == 0 and stack.s3gw_json("jobs", "list") == []

    wait_until(is_settled, "nothing is left to do", 60, pause=0.5)


def shown(answer):
    """An answer without what differs from one request to the next."""
    metadata = answer.pop("ResponseMetadata")
    headers = {
        name: value
        for name, value in metadata["HTTPHeaders"].items()
        if name not in ("date", "x-amz-request-id", "x-amz-id-2", "connection", "server")
    }
    body = answer.pop("Body", None)
    return {"head": headers, "answer": answer, "body": hashlib.sha256(body.read()).hexdigest() if body else None}


def asked(call, **parameters):
    try:
        return shown(call(**parameters))
    except ClientError as error:
        return {"status": error.response["ResponseMetadata"]["HTTPStatusCode"], "error": error.response["Error"]}


def pages(call, **parameters):
    """All pages of a listing, three entries each."""
    client, name = call.__self__, call.__name__
    found = [
        {name: value for name, value in page.items() if name != "ResponseMetadata"}
        for page in client.get_paginator(name).paginate(PaginationConfig={"PageSize": 3}, **parameters)
    ]
    return found


def dump(stack):
    """Everything that the clients of all tenants can see."""
    seen = {}
    for tenant in stack.tenants:
        s3 = stack.boto3(tenant)
        seen[tenant, "buckets"] = shown(s3.list_buckets())
        for bucket in [each["Name"] for each in s3.list_buckets()["Buckets"]]:
            place = (tenant, bucket)
            for call in (s3.get_bucket_location, s3.get_bucket_versioning, s3.get_bucket_tagging, s3.head_bucket):
                seen[*place, call.__name__] = asked(call, Bucket=bucket)
            for call in (s3.list_objects, s3.list_objects_v2, s3.list_object_versions):
                seen[*place, call.__name__] = pages(call, Bucket=bucket)
                seen[*place, call.__name__, "/"] = pages(call, Bucket=bucket, Delimiter="/")
            for page in pages(s3.list_object_versions, Bucket=bucket):
                for marker in page.get("DeleteMarkers", []):
                    names = {"Bucket": bucket, "Key": marker["Key"], "VersionId": marker["VersionId"]}
                    seen[*place, marker["Key"], marker["VersionId"]] = asked(s3.head_object, **names)
                for version in page.get("Versions", []):
                    names = {"Bucket": bucket, "Key": version["Key"], "VersionId": version["VersionId"]}
                    about = (*place, version["Key"], version["VersionId"])
                    seen[*about, "head"] = asked(s3.head_object, ChecksumMode="ENABLED", **names)
                    seen[*about, "get"] = asked(s3.get_object, ChecksumMode="ENABLED", **names)
                    seen[*about, "tags"] = asked(s3.get_object_tagging, **names)
                    seen[*about, "part"] = asked(s3.get_object, PartNumber=2, **names)
                    kinds = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
                    seen[*about, "attributes"] = asked(s3.get_object_attributes, ObjectAttributes=kinds, **names)
                    if version["IsLatest"]:
                        del names["VersionId"]
                        seen[*about, "current"] = asked(s3.get_object, **names)
    for bucket in stack.s3gw_json("bucket", "list"):
        words = ("--tenant", bucket["tenant"])
        seen["explain", bucket["tenant"], bucket["name"]] = stack.s3gw("bucket", "explain", bucket["name"], *words)
        seen["policy", bucket["tenant"], bucket["name"]] = stack.cli(
            "policy", "show", "--bucket", bucket["name"], *words, "--json"
        ).stdout
    for tenant in stack.tenants:
        seen["policy", tenant] = stack.cli("policy", "show", "--tenant", tenant, "--json").stdout
        seen["tenant", tenant] = stack.s3gw("tenant", "show", tenant, "--json")
    seen["backends"] = [{**each, "abilities": None, "health": None} for each in stack.s3gw_json("backend", "list")]
    return seen


def differences(before, after):
    assert before.keys() == after.keys(), sorted(map(str, before.keys() ^ after.keys()))
    return {name: (before[name], after[name]) for name in before if before[name] != after[name]}
