"""ListObjectsV2 and ListObjects: order, prefix, delimiter, pages, start-after, encoding, owner."""

import urllib.parse

import pytest

KEYS = sorted(
    [
        "a",
        "a/",
        "a/1",
        "a/2",
        "a/b/3",
        "b",
        "b1",
        "c/d/e/f",
        "photos/2024/jan.jpg",
        "photos/2024/feb.jpg",
        "photos/2025/x.jpg",
        "photos/top.jpg",
        "z",
    ]
    + [f"many/{number:04d}" for number in range(25)],
    key=lambda key: key.encode(),
)


@pytest.fixture(scope="module")
def listed(gateway):
    s3 = gateway.boto3("alice")
    bucket = gateway.new_bucket("alice")
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    return bucket


def expected(prefix="", delimiter="", after=""):
    """What S3 lists, computed the slow way: rows of (is a common prefix, text), each once, in order."""
    rows = []
    for key in KEYS:
        if not key.startswith(prefix):
            continue
        rest = key[len(prefix) :]
        if delimiter and delimiter in rest:
            row = (True, prefix + rest[: rest.index(delimiter) + len(delimiter)])
        else:
            row = (False, key)
        if row[1] > after and row not in rows:
            rows.append(row)
    return rows


def rows_of(page):
    rows = [(False, entry["Key"]) for entry in page.get("Contents", [])]
    rows += [(True, each["Prefix"]) for each in page.get("CommonPrefixes", [])]
    return sorted(rows, key=lambda row: row[1].encode())


VARIATIONS = [
    {},
    {"prefix": "a"},
    {"prefix": "a/"},
    {"prefix": "nothing"},
    {"delimiter": "/"},
    {"prefix": "photos/", "delimiter": "/"},
    {"prefix": "photos/2024/", "delimiter": "/"},
    {"delimiter": "o"},
    {"delimiter": "/2"},
    {"prefix": "photos", "delimiter": "/"},
    {"prefix": "many/", "delimiter": "1"},
    {"prefix": "c/", "delimiter": "/"},
    {"prefix": "many/002"},
]


@pytest.mark.parametrize("page_size", [1, 2, 7, 1000])
@pytest.mark.parametrize("variation", VARIATIONS)
def test_pages_of_any_size_give_every_row_once_and_in_order(s3, listed, variation, page_size):
    parameters = {name.capitalize(): value for name, value in variation.items()}
    pages = list(
        s3.get_paginator("list_objects_v2").paginate(
            Bucket=listed, **parameters, PaginationConfig={"PageSize": page_size}
        )
    )
    assert [row for page in pages for row in rows_of(page)] == expected(**variation)
    for page in pages:
        assert page["KeyCount"] == len(rows_of(page)) <= page_size
        assert page["IsTruncated"] == (page is not pages[-1])
    pages = list(
        s3.get_paginator("list_objects").paginate(Bucket=listed, **parameters, PaginationConfig={"PageSize": page_size})
    )
    assert [row for page in pages for row in rows_of(page)] == expected(**variation)


# With a delimiter, a key inside a common prefix is left out: the reference does not say whether the prefix comes back.
@pytest.mark.parametrize(
    "after, delimiter",
    [(after, "") for after in ("a", "a/", "a/1", "b0", "many/0010", "photos/2024/", "photos/3", "zz", "0")]
    + [(after, "/") for after in ("a", "a/", "b0", "many", "photos/", "zz", "0")],
)
def test_start_after_and_marker_begin_behind_the_given_key(s3, listed, after, delimiter):
    options = {"Delimiter": delimiter} if delimiter else {}
    wanted = expected(delimiter=delimiter, after=after)
    assert rows_of(s3.list_objects_v2(Bucket=listed, StartAfter=after, **options)) == wanted
    assert rows_of(s3.list_objects(Bucket=listed, Marker=after, **options)) == wanted


def test_max_keys_bounds_a_page(raw, s3, listed):
    assert s3.list_objects_v2(Bucket=listed, MaxKeys=3)["KeyCount"] == 3
    none = s3.list_objects_v2(Bucket=listed, MaxKeys=0)
    assert (none["KeyCount"], none["IsTruncated"], none["MaxKeys"]) == (0, False, 0)
    assert raw.request("GET", f"/{listed}?list-type=2&max-keys=5000").xml.findtext("MaxKeys") == "1000"
    for value in ("-1", "x", "99999999999"):
        answer = raw.request("GET", f"/{listed}?list-type=2&max-keys={value}")
        assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_a_continuation_token_that_we_did_not_give_is_refused(raw, listed):
    for token in ("nonsense", "", "AAAA", "%00"):
        answer = raw.request("GET", f"/{listed}?list-type=2&continuation-token={token}")
        assert answer.status == 400, (token, answer.body)


@pytest.mark.parametrize("query", ["start-after=a", "continuation-token=x", "list-type=2&marker=a"])
def test_a_parameter_of_the_other_listing_is_refused(raw, listed, query):
    answer = raw.request("GET", f"/{listed}?{query}")
    assert (answer.status, answer.code) == (400, "InvalidArgument"), "the same page would come for ever"
    assert answer.xml.findtext("ArgumentName") in query


def test_an_encoding_type_has_no_case(raw, listed):
    assert raw.request("GET", f"/{listed}?list-type=2&encoding-type=URL").xml.findtext("EncodingType") == "url"


def test_the_answer_repeats_the_question(raw, listed):
    answer = raw.request(
        "GET", f"/{listed}?list-type=2&prefix=photos%2F&delimiter=%2F&start-after=photos%2F1&max-keys=5"
    ).xml
    said = {
        name: answer.findtext(name)
        for name in ("Name", "Prefix", "Delimiter", "StartAfter", "MaxKeys", "IsTruncated", "KeyCount")
    }
    assert said == {
        "Name": listed,
        "Prefix": "photos/",
        "Delimiter": "/",
        "StartAfter": "photos/1",
        "MaxKeys": "5",
        "IsTruncated": "false",
        "KeyCount": "3",
    }


def test_start_after_is_repeated_on_every_page(s3, listed):
    first = s3.list_objects_v2(Bucket=listed, StartAfter="a", MaxKeys=1)
    second = s3.list_objects_v2(Bucket=listed, StartAfter="a", ContinuationToken=first["NextContinuationToken"])
    assert (first["StartAfter"], second["StartAfter"]) == ("a", "a")
    assert second["Contents"][0]["Key"] > first["Contents"][0]["Key"], "the token says where the page begins"


def test_the_owner_is_given_when_asked_for_and_always_in_version_one(gateway, s3, listed):
    owner = gateway.tenants["alice"].canonical_id
    assert all("Owner" not in entry for entry in s3.list_objects_v2(Bucket=listed)["Contents"])
    assert all(
        entry["Owner"]["ID"] == owner for entry in s3.list_objects_v2(Bucket=listed, FetchOwner=True)["Contents"]
    )
    assert all(entry["Owner"]["ID"] == owner for entry in s3.list_objects(Bucket=listed)["Contents"])


def test_encoding_type_url_makes_any_key_safe_in_xml(raw, bucket):
    keys = ["a b+c", "ctrl\x01", "ü/ö", "x&<y>", "100%"]
    for key in keys:
        assert raw.request("PUT", f"/{bucket}/{urllib.parse.quote(key)}", b"").status == 200, key
    answer = raw.request("GET", f"/{bucket}?list-type=2&encoding-type=url&delimiter=%2F&prefix=").xml
    found = [entry.findtext("Key") for entry in answer.iter("Contents")] + [
        each.findtext("Prefix") for each in answer.iter("CommonPrefixes")
    ]
    assert answer.findtext("EncodingType") == "url" and answer.findtext("Delimiter") in ("/", "%2F")
    assert sorted(urllib.parse.unquote_plus(each) for each in found) == sorted(
        [*(each for each in keys if "/" not in each), "ü/"]
    )
    refused = raw.request("GET", f"/{bucket}?list-type=2&encoding-type=base64")
    assert (refused.status, refused.code) == (400, "InvalidArgument")


def test_a_listing_sees_writes_and_deletes_at_once(s3, bucket):
    for number in range(20):
        s3.put_object(Bucket=bucket, Key=f"k{number:02d}", Body=b"")
        assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == number + 1
    for number in range(20):
        s3.delete_object(Bucket=bucket, Key=f"k{number:02d}")
        assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 19 - number


def test_listing_a_bucket_that_is_not_there(raw):
    answer = raw.request("GET", "/no-such-bucket-here?list-type=2")
    assert (answer.status, answer.code) == (404, "NoSuchBucket")
