"""Lifecycle rules in few words."""

import datetime


def code(error):
    return error.value.response["Error"]["Code"], error.value.response["ResponseMetadata"]["HTTPStatusCode"]


def rule(id="r", prefix="", status="Enabled", **actions):
    filter = actions.pop("Filter", {"Prefix": prefix})
    return {"ID": id, "Filter": filter, "Status": status, **actions}


def set_rules(s3, bucket, *rules):
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": list(rules)})


def expire(days=1, **options):
    return rule(Expiration={"Days": days}, **options)


def enable_versioning(s3, bucket, status="Enabled"):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


# A rule of each form.
EVERYTHING = [
    {
        "ID": "all of it",
        "Status": "Enabled",
        "Filter": {
            "And": {
                "Prefix": "logs/<&>é/",
                "Tags": [{"Key": "class", "Value": "temp"}, {"Key": "empty", "Value": ""}],
                "ObjectSizeGreaterThan": 0,
                "ObjectSizeLessThan": 5_000_000_000_000,
            }
        },
        "Expiration": {"Days": 30},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 7, "NewerNoncurrentVersions": 3},
    },
    {
        "ID": "on a date",
        "Status": "Disabled",
        "Filter": {"Tag": {"Key": "a", "Value": "b"}},
        "Expiration": {"Date": datetime.datetime(2031, 5, 1, tzinfo=datetime.timezone.utc)},
    },
    {
        "ID": "markers",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2},
    },
    {
        "ID": "small",
        "Status": "Enabled",
        "Filter": {"ObjectSizeLessThan": 1},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
    },
    {"ID": "old", "Status": "Enabled", "Prefix": "old/", "Expiration": {"Days": 1}},
]
