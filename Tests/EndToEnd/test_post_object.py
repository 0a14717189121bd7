"""POST object: what a browser's form may store, and everything that a policy, a signature or a form can have wrong."""

import base64
import datetime
import hashlib
import hmac
import json
import secrets
import urllib.parse

import pytest
import urllib3

from support import clients, sigv4
from support.checksums import checksum
from support.rawclient import Answer

BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
KEY = "up/${filename}"


def now():
    return datetime.datetime.now(datetime.timezone.utc)


class Form:
    """A form as a server would sign it for a browser; a test changes `fields`, `conditions` or the bytes."""

    def __init__(self, raw, bucket, fields=(), conditions=None, key=KEY, file=b"meow", file_name="cat.jpg"):
        self.raw = raw
        self.bucket = bucket
        self.fields = [("key", key), *fields]
        named = [["starts-with", "$key", ""]] + [{name: value} for name, value in fields]
        self.conditions = [{"bucket": bucket}, *(named if conditions is None else conditions)]
        self.file = file
        self.file_name = file_name
        self.expires = (now() + datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        self.policy = None

    def document(self, extra=()):
        if self.policy is not None:
            return base64.b64encode(self.policy.encode()).decode()
        policy = {"expiration": self.expires, "conditions": [*self.conditions, *extra]}
        return base64.b64encode(json.dumps(policy).encode()).decode()

    def signed(self, credentials=None, region=None, when=None):
        credentials = credentials or self.raw.credentials
        signer = sigv4.Signer(credentials, region or self.raw.region, when)
        own = [
            ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
            ("x-amz-credential", f"{credentials.access_key_id}/{signer.scope}"),
            ("x-amz-date", signer.timestamp),
        ]
        policy = self.document([{name: value} for name, value in own])
        return [*self.fields, *own, ("policy", policy), ("x-amz-signature", signer.sign(policy))]

    def signed_v2(self):
        credentials = self.raw.credentials
        policy = self.document()
        code = hmac.new(credentials.secret_access_key.encode(), policy.encode(), hashlib.sha1).digest()
        signature = base64.b64encode(code).decode()
        return [
            *self.fields,
            ("AWSAccessKeyId", credentials.access_key_id),
            ("policy", policy),
            ("signature", signature),
        ]

    def body(self, fields):
        parts = [part(f'name="{name}"', value.encode()) for name, value in fields]
        file = part(f'name="file"; filename="{self.file_name}"', self.file, "Content-Type: text/x-ignored\r\n")
        return b"".join([*parts, file, f"--{BOUNDARY}--\r\n".encode()])

    def post(self, fields=None, body=None, target=None, headers=(), content_type=None, host=None):
        body = body if body is not None else self.body(self.signed() if fields is None else fields)
        content_type = content_type or f"multipart/form-data; boundary={BOUNDARY}"
        headers = [("Content-Type", content_type), *headers]
        request = self.raw.build("POST", target or f"/{self.bucket}", body, sign=None, headers=headers, host=host)
        return self.raw.exchange(request.bytes(), "POST")


def part(disposition, content, more=""):
    return f"--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n{more}\r\n".encode() + content + b"\r\n"


@pytest.fixture
def form(raw, bucket):
    return lambda *words, **options: Form(raw, bucket, *words, **options)


@pytest.fixture
def refused(gateway, raw, bucket):
    """Checks a refusal, and that no version, file or object came of it."""
    before = gateway.query("SELECT count(*) FROM versions"), gateway.stored()

    def check(answer: Answer, status, code, message=None):
        assert (answer.status, answer.code) == (status, code), answer.body
        if message:
            assert message in answer.xml.findtext("Message"), answer.body
        assert (gateway.query("SELECT count(*) FROM versions"), gateway.stored()) == before
        assert raw.request("HEAD", f"/{bucket}/up/cat.jpg").status == 404
        return answer

    return check


class TestAcceptedForms:
    def test_the_form_of_boto3_in_the_hands_of_urllib3(self, gateway, s3, bucket, payload):
        content = payload(300_000)
        form = s3.generate_presigned_post(
            bucket,
            "up/${filename}",
            Fields={"Content-Type": "image/png", "x-amz-meta-who": "alice"},
            Conditions=[
                {"Content-Type": "image/png"},
                ["starts-with", "$x-amz-meta-who", ""],
                ["content-length-range", 1, 1 << 20],
            ],
        )
        with urllib3.PoolManager(ca_certs=str(gateway.authority.ca)) as http:
            answer = http.request("POST", form["url"], fields={**form["fields"], "file": ("cat.png", content)})
        assert answer.status == 204, answer.data
        stored = s3.get_object(Bucket=bucket, Key="up/cat.png")
        assert stored["Body"].read() == content
        assert (stored["ContentType"], stored["Metadata"]) == ("image/png", {"who": "alice"})
        assert answer.headers["ETag"] == stored["ETag"] == f'"{hashlib.md5(content).hexdigest()}"'
        value = checksum("crc64nvme", content)
        assert answer.headers["x-amz-checksum-crc64nvme"] == value
        head = s3.head_object(Bucket=bucket, Key="up/cat.png", ChecksumMode="ENABLED")
        assert (head["ChecksumCRC64NVME"], head["ChecksumType"]) == (value, "FULL_OBJECT")

    def test_the_form_of_boto3_in_the_hands_of_curl(self, gateway, s3, bucket, payload, tmp_path):
        file = tmp_path / "photo of a cat.jpg"
        file.write_bytes(payload(5_000_000))
        form = s3.generate_presigned_post(bucket, "${filename}")
        words = [word for name, value in form["fields"].items() for word in ("-F", f"{name}={value}")]
        clients.curl(gateway, *words, "-F", f"file=@{file}", form["url"], signed=False)
        assert s3.get_object(Bucket=bucket, Key=file.name)["Body"].read() == file.read_bytes()

    @pytest.mark.parametrize("size", [0, 1, 65_000, 131_072, 10_000_000])
    def test_the_file_is_stored_byte_for_byte(self, form, raw, bucket, payload, size):
        content = payload(size)
        assert form(file=content).post().status == 204
        stored = raw.request("GET", f"/{bucket}/up/cat.jpg")
        assert stored.status == 200 and stored.body == content

    def test_content_that_looks_like_a_boundary(self, form, raw, bucket):
        content = f"\r\n--{BOUNDARY[:-1]}\r\n--\r\r\n{BOUNDARY}\n--{BOUNDARY}--\r\n\r\n-".encode() * 3 + b"\r\n--"
        assert form(file=content).post().status == 204
        assert raw.request("GET", f"/{bucket}/up/cat.jpg").body == content

    def test_headers_and_metadata_of_the_object_are_those_of_the_form(self, form, raw, bucket):
        fields = [
            ("Content-Type", "text/html"),
            ("Cache-Control", "max-age=60"),
            ("Content-Disposition", "attachment; filename=x"),
            ("Content-Encoding", "gzip"),
            ("Expires", "Thu, 01 Jan 2037 00:00:00 GMT"),
            ("x-amz-meta-Uuid", "14365123651274"),
            ("x-amz-meta-name", "jösef"),
            ("x-amz-storage-class", "STANDARD_IA"),
            ("acl", "private"),
        ]
        assert form(fields).post().status == 204
        stored = raw.request("HEAD", f"/{bucket}/up/cat.jpg")
        assert stored.header("Content-Type") == "text/html"
        assert stored.header("Cache-Control") == "max-age=60"
        assert stored.header("Content-Disposition") == "attachment; filename=x"
        assert stored.header("Content-Encoding") == "gzip"
        assert stored.header("Expires") == "Thu, 01 Jan 2037 00:00:00 GMT"
        assert stored.header("x-amz-meta-uuid") == "14365123651274"
        assert stored.header("x-amz-meta-name").encode("latin-1") == "jösef".encode()
        assert stored.header("x-amz-storage-class") == "STANDARD_IA"

    def test_without_a_content_type_field_the_type_of_the_part_is_not_taken(self, form, raw, bucket):
        assert form().post().status == 204
        assert raw.request("HEAD", f"/{bucket}/up/cat.jpg").header("Content-Type") == "binary/octet-stream"

    @pytest.mark.parametrize(
        "file_name, key",
        [
            ("cat.jpg", "up/cat.jpg"),
            ("C:\\photos\\cat.jpg", "up/cat.jpg"),
            ("/home/a/cat.jpg", "up/cat.jpg"),
            ("", "up/"),
            ("kåt +%41.jpg", "up/kåt +%41.jpg"),
        ],
    )
    def test_the_name_of_the_file(self, form, raw, bucket, file_name, key):
        exact = [["eq", "$key", key]]
        assert form(file_name=file_name, conditions=exact).post().status == 204
        assert raw.request("GET", f"/{bucket}/{urllib.parse.quote(key)}").body == b"meow"

    def test_names_have_no_case_and_x_ignore_fields_need_no_condition(self, form, raw, bucket):
        conditions = [["StArTs-WiTh", "$KeY", "up"], {"AcL": "private"}, ["EQ", "$CoNtEnT-TyPe", "text/plain"]]
        fields = [("aCl", "private"), ("CONTENT-type", "text/plain"), ("x-ignore-token", "anything")]
        signed = form(fields, conditions).signed()
        signed = [(name.upper() if name.startswith("x-amz") else name.title(), value) for name, value in signed]
        assert form().post(signed).status == 204
        assert raw.request("HEAD", f"/{bucket}/up/cat.jpg").header("Content-Type") == "text/plain"

    def test_fields_behind_the_file_are_ignored(self, form, raw, bucket):
        own = form()
        body = own.body(own.signed())[: -len(f"--{BOUNDARY}--\r\n")]
        body += part('name="acl"', b"public-read") + part('name="submit"', b"Upload") + f"--{BOUNDARY}--".encode()
        assert own.post(body=body).status == 204
        assert raw.request("GET", f"/{bucket}/up/cat.jpg").body == b"meow"

    def test_virtual_host_style(self, form, raw, bucket):
        answer = form().post(target="/", host=f"{bucket}.s3.localhost")
        assert answer.status == 204
        assert answer.header("Location") == f"http://{bucket}.s3.localhost/up%2Fcat.jpg"
        assert raw.request("GET", f"/{bucket}/up/cat.jpg").body == b"meow"

    @pytest.mark.parametrize("algorithm", ["sha256", "sha1"])
    def test_a_checksum_is_verified_and_kept(self, form, raw, bucket, refused, algorithm):
        name = f"x-amz-checksum-{algorithm}"
        right = base64.b64encode(hashlib.new(algorithm, b"meow").digest()).decode()
        wrong = base64.b64encode(hashlib.new(algorithm, b"woof").digest()).decode()
        named = [("x-amz-checksum-algorithm", algorithm.upper())]
        refused(form([(name, wrong), *named]).post(), 400, "BadDigest")
        refused(form(named).post(), 400, "InvalidRequest")
        answer = form([(name, right), *named]).post()
        assert (answer.status, answer.header(name)) == (204, right)
        stored = raw.request("HEAD", f"/{bucket}/up/cat.jpg", headers=[("x-amz-checksum-mode", "ENABLED")])
        assert stored.header(name) == right

    def test_the_escapes_and_the_last_comma_of_the_api_reference(self, form, raw, bucket):
        own = form(key="$a")
        own.policy = (
            f'{{ "expiration": "{own.expires}",\n  "conditions": [\n    {{"bucket": "{bucket}" }},\n'
            '    ["starts-with", "$key", "\\$a"],\n    ["starts-with", "$x-amz-credential", ""],\n'
            '    {"x-amz-algorithm": "AWS4-HMAC-SHA256"}, ["starts-with", "$x-amz-date", ""],\n  ]\n}\n'
        )
        assert own.post().status == 204
        assert raw.request("GET", f"/{bucket}/%24a").body == b"meow"

    def test_conditions_of_the_request_hold(self, form, raw, bucket):
        assert form().post(headers=[("If-None-Match", "*")]).status == 204
        again = form(file=b"woof").post(headers=[("If-None-Match", "*")])
        assert (again.status, again.code) == (412, "PreconditionFailed")
        assert raw.request("GET", f"/{bucket}/up/cat.jpg").body == b"meow"


class TestAnswers:
    @pytest.mark.parametrize("status, wanted", [("200", 200), ("204", 204), ("404", 204), ("", 204), (None, 204)])
    def test_the_status_of_the_form(self, form, status, wanted):
        answer = form([] if status is None else [("success_action_status", status)]).post()
        assert (answer.status, answer.body) == (wanted, b"")
        assert answer.header("ETag") == f'"{hashlib.md5(b"meow").hexdigest()}"'
        assert answer.header("x-amz-request-id")

    def test_201_has_a_document(self, form, raw, bucket):
        answer = form([("success_action_status", "201")], key="a/b&<ö>").post()
        assert (answer.status, answer.header("Content-Type")) == (201, "application/xml")
        assert answer.xml.tag == "PostResponse"
        location = f"http://{raw.host}/{bucket}/a%2Fb%26%3C%C3%B6%3E"
        assert answer.xml.findtext("Location") == answer.header("Location") == location
        assert answer.xml.findtext("Bucket") == bucket
        assert answer.xml.findtext("Key") == "a/b&<ö>"
        assert answer.xml.findtext("ETag") == f'"{hashlib.md5(b"meow").hexdigest()}"'
        assert raw.request("GET", location.removeprefix(f"http://{raw.host}")).body == b"meow"

    @pytest.mark.parametrize(
        "url, begin, end",
        [
            ("https://example.com/done", "https://example.com/done?", ""),
            ("http://example.com/done?a=b#top", "http://example.com/done?a=b&", "#top"),
        ],
    )
    @pytest.mark.parametrize("name", ["success_action_redirect", "redirect"])
    def test_a_redirect_says_what_was_stored(self, form, bucket, name, url, begin, end):
        answer = form([(name, url), ("success_action_status", "201")], key="a b/ö").post()
        etag = hashlib.md5(b"meow").hexdigest()
        assert answer.status == 303 and answer.body == b""
        assert answer.header("Location") == f"{begin}bucket={bucket}&key=a%20b%2F%C3%B6&etag=%22{etag}%22{end}"

    @pytest.mark.parametrize(
        "url", ["", "/done", "javascript:alert(1)", "https://example.com/a b", "https://example.com/\r\nA: b"]
    )
    def test_a_redirect_that_is_no_url_counts_as_none(self, form, url):
        answer = form([("success_action_redirect", url)]).post()
        assert answer.status == 204 and answer.header("A") is None


class TestPolicy:
    def test_a_condition_that_does_not_hold(self, form, refused):
        conditions = [["starts-with", "$key", "other/"]]
        message = 'Invalid according to Policy: Policy Condition failed: ["starts-with", "$key", "other/"]'
        refused(form(conditions=conditions).post(), 403, "AccessDenied", message)
        conditions = [["starts-with", "$key", ""], {"x-amz-meta-a": "1"}]
        message = 'Policy Condition failed: ["eq", "$x-amz-meta-a", "1"]'
        refused(form([("x-amz-meta-a", "2")], conditions).post(), 403, "AccessDenied", message)
        refused(form((), conditions).post(), 403, "AccessDenied", message)

    @pytest.mark.parametrize("name", ["x-amz-meta-a", "Content-Type", "acl", "success_action_status", "other"])
    def test_a_field_that_no_condition_names(self, form, refused, name):
        own = form([(name, "x")], [["starts-with", "$key", ""]])
        refused(own.post(), 403, "AccessDenied", f"Invalid according to Policy: Extra input fields: {name.lower()}")

    def test_the_bucket_must_be_named_and_be_this_one(self, gateway, form, refused):
        own = form()
        own.conditions = [["starts-with", "$key", ""]]
        refused(own.post(), 403, "AccessDenied", "Extra input fields: bucket")
        other = gateway.new_bucket("alice")
        refused(form().post(target=f"/{other}"), 403, "AccessDenied", "Policy Condition failed")
        refused(form([("bucket", other)]).post(), 400, "InvalidArgument")

    def test_the_bucket_of_another_tenant_does_not_exist(self, gateway, form, refused):
        own = form()
        own.bucket = gateway.new_bucket("bob")
        own.conditions[0] = {"bucket": own.bucket}
        refused(own.post(), 404, "NoSuchBucket")

    def test_the_size_of_the_file(self, form, refused, raw, bucket):
        conditions = [["starts-with", "$key", ""], ["content-length-range", 2, 4]]
        answer = refused(form(conditions=conditions, file=b"12345").post(), 400, "EntityTooLarge")
        assert (answer.xml.findtext("ProposedSize"), answer.xml.findtext("MaxSizeAllowed")) == ("5", "4")
        refused(form(conditions=conditions, file=b"1").post(), 400, "EntityTooSmall")
        assert form(conditions=conditions, file=b"12").post().status == 204
        assert form(conditions=conditions, file=b"1234").post().status == 204

    def test_one_that_expired(self, form, refused):
        own = form()
        own.expires = "2020-01-01T00:00:00.000Z"
        refused(own.post(), 403, "AccessDenied", "Invalid according to Policy: Policy expired.")

    @pytest.mark.parametrize(
        "policy",
        [
            "",
            "not json",
            "[]",
            '{"conditions": []}',
            '{"expiration": "2037-01-01T00:00:00Z"}',
            '{"EXPIRATION": "2037-01-01T00:00:00Z", "conditions": []}',
            '{"expiration": "2037-01-01 00:00:00", "conditions": []}',
            '{"expiration": "2037-01-01T00:00:00Z", "conditions": [{}]}',
            '{"expiration": "2037-01-01T00:00:00Z", "conditions": [["content-length-range", 0]]}',
            '{"expiration": "2037-01-01T00:00:00Z", "conditions": [["content-length-range", -1, 0]]}',
            '{"expiration": "2037-01-01T00:00:00Z", "conditions": [{"success_action_status": 201}]}',
        ],
    )
    def test_what_is_no_policy(self, form, refused, policy):
        own = form()
        own.policy = policy
        refused(own.post(), 400, "InvalidPolicyDocument" if policy else "InvalidArgument")


class TestSignature:
    def test_no_signature_at_all(self, form, refused):
        refused(form().post([("key", KEY)]), 403, "AccessDenied")

    @pytest.mark.parametrize(
        "missing", ["policy", "x-amz-signature", "x-amz-algorithm", "x-amz-credential", "x-amz-date"]
    )
    def test_half_a_signature(self, form, refused, missing):
        own = form()
        fields = [(name, value) for name, value in own.signed() if name != missing]
        refused(own.post(fields), 400, "InvalidArgument", f"'{missing}'")

    def test_another_signature_secret_key_or_policy(self, form, refused):
        own = form()
        *fields, (name, signature) = own.signed()
        assert name == "x-amz-signature"
        flipped = signature[:-1] + ("0" if signature[-1] != "0" else "1")
        refused(own.post([*fields, (name, flipped)]), 403, "SignatureDoesNotMatch")
        known = own.raw.credentials.access_key_id
        wrong = own.signed(sigv4.Credentials(known, "x" * 40))
        refused(own.post(wrong), 403, "SignatureDoesNotMatch")
        unknown = own.signed(sigv4.Credentials("AKIANOSUCHKEY0000000", "x" * 40))
        refused(own.post(unknown), 403, "InvalidAccessKeyId")
        wider = form(conditions=[["starts-with", "$key", ""]])
        swapped = [(n, wider.document() if n == "policy" else v) for n, v in own.signed()]
        refused(own.post(swapped), 403, "SignatureDoesNotMatch")

    def test_another_region_and_a_date_to_come(self, gateway, form, refused):
        own = form()
        answer = refused(own.post(own.signed(region="eu-nowhere-9")), 400, "AuthorizationQueryParametersError")
        assert answer.xml.findtext("Region") == gateway.settings["region"]
        tomorrow = now() + datetime.timedelta(days=1)
        refused(own.post(own.signed(when=tomorrow)), 403, "AccessDenied")

    def test_a_session_token(self, form, refused):
        refused(form([("x-amz-security-token", "t")]).post(), 400, "InvalidToken")

    def test_headers_beside_the_form_say_nothing_more(self, form, refused):
        refused(form().post(headers=[("x-amz-acl", "public-read")]), 403, "AccessDenied")
        refused(form().post(headers=[("Authorization", "AWS4-HMAC-SHA256 x")]), 400, "InvalidArgument")

    def test_a_form_is_good_for_nothing_but_an_upload(self, form, raw, bucket):
        raw.request("PUT", f"/{bucket}/kept", b"kept")
        document = b"<Delete><Object><Key>kept</Key></Object></Delete>"
        for target in (f"/{bucket}?delete", f"/{bucket}/kept?uploads", f"/{bucket}/kept"):
            answer = form(file=document).post(target=target)
            assert (answer.status, answer.code) == (405, "MethodNotAllowed")
        assert raw.request("GET", f"/{bucket}/kept").body == b"kept"

    def test_version_2_is_refused_where_the_site_does_not_allow_it(self, form, refused):
        refused(form().post(form().signed_v2()), 400, "InvalidRequest", "AWS4-HMAC-SHA256")

    def test_version_2_where_the_site_allows_it(self, stacks):
        stack = stacks.files(nginx_server_extra="set $s3gw_sigv2 on;").start()
        raw, bucket = stack.raw("alice"), stack.new_bucket("alice")
        own = Form(raw, bucket, [("x-amz-meta-a", "1")])
        assert own.post(own.signed_v2()).status == 204
        assert raw.request("GET", f"/{bucket}/up/cat.jpg").body == b"meow"
        assert own.post(own.signed()).status == 204
        wrong = [(name, "AAAA" + value[4:] if name == "signature" else value) for name, value in own.signed_v2()]
        assert own.post(wrong).code == "SignatureDoesNotMatch"
        extra = Form(raw, bucket, [("x-amz-meta-a", "1")], [["starts-with", "$key", ""]])
        assert extra.post(extra.signed_v2()).code == "AccessDenied"
        both = [*own.signed_v2(), ("x-amz-algorithm", "AWS4-HMAC-SHA256")]
        assert own.post(both).code == "InvalidArgument"
        stack.stop()


class TestTheForm:
    def test_a_bucket_post_that_is_no_form(self, raw, bucket):
        answer = raw.request("POST", f"/{bucket}", b"x")
        assert (answer.status, answer.code) == (412, "PreconditionFailed")

    def test_no_key(self, form, refused):
        own, asks = form(), "must contain a field named 'key'"
        refused(own.post([field for field in own.signed() if field[0] != "key"]), 400, "InvalidArgument", asks)
        own.conditions = own.conditions[:1]
        refused(own.post([field for field in own.signed() if field[0] != "key"]), 400, "InvalidArgument", asks)
        refused(form(key="").post(), 400, "InvalidArgument", "length greater than 0")
        refused(form(key="k" * 1025).post(), 400, "KeyTooLongError")
        refused(form(key="a\0b").post(), 400, "InvalidURI")  # no URI and no XML document could name it

    def test_a_file_in_front_of_the_fields_is_told_of_their_order(self, form, refused):
        own = form()
        fields = b"".join(part(f'name="{name}"', value.encode()) for name, value in own.signed())
        body = part('name="file"; filename="cat.jpg"', b"meow") + fields + f"--{BOUNDARY}--\r\n".encode()
        answer = refused(own.post(body=body), 400, "InvalidArgument", "check the order of the fields")
        assert answer.xml.findtext("ArgumentName") == "key"

    def test_no_file_and_two_files(self, form, refused):
        own = form()
        parts = b"".join(part(f'name="{name}"', value.encode()) for name, value in own.signed())
        end = f"--{BOUNDARY}--\r\n".encode()
        refused(own.post(body=parts + end), 400, "IncorrectNumberOfFilesInPostRequest")
        file = part('name="file"; filename="a"', b"a")
        refused(own.post(body=parts + file + file + end), 400, "IncorrectNumberOfFilesInPostRequest")

    @pytest.mark.parametrize("size", [100, 200_000])
    def test_a_form_cut_short_stores_nothing(self, form, refused, payload, size):
        own = form(file=payload(size))
        body = own.body(own.signed())
        for cut in (1, 4, len(BOUNDARY) + 6, size // 2):
            refused(own.post(body=body[:-cut].rstrip(b"\r\n-")), 400, "MalformedPOSTRequest")

    @pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=other"])
    def test_a_boundary_that_is_not_there(self, form, refused, content_type):
        refused(form().post(content_type=content_type), 400, "MalformedPOSTRequest")

    def test_more_than_20_kb_before_the_file(self, form, refused):
        refused(form([("x-ignore-a", "a" * 21_000)]).post(), 400, "MaxPostPreDataLengthExceededError")

    def test_a_field_that_is_there_twice(self, form, refused):
        own = form()
        refused(own.post([*own.signed(), ("Key", "up/other")]), 400, "InvalidArgument")

    def test_a_field_with_a_byte_that_no_header_may_have(self, form, refused):
        refused(form([("x-amz-meta-a", "1\r\nx-amz-meta-b: 2")]).post(), 400, "InvalidArgument")

    @pytest.mark.parametrize(
        "name, value",
        [
            ("acl", "public-read"),
            ("x-amz-server-side-encryption", "AES256"),
            ("x-amz-website-redirect-location", "/x"),
            ("x-amz-copy-source", "/a/b"),
        ],
    )
    def test_a_field_that_asks_for_more_than_there_is(self, form, refused, name, value):
        refused(form([(name, value)]).post(), 501, "NotImplemented")

    def test_tags_are_those_of_the_form(self, form, refused, gateway, bucket):
        tags = "<Tagging><TagSet><Tag><Key>a b</Key><Value>1+2</Value></Tag></TagSet></Tagging>"
        refused(form([("tagging", "<Tagging>")]).post(), 400, "MalformedXML")
        refused(form([("tagging", tags), ("x-amz-tagging", "c=d")]).post(), 400, "InvalidArgument")
        assert form([("tagging", tags)], key="tagged").post().status == 204
        stored = gateway.boto3().get_object_tagging(Bucket=bucket, Key="tagged")["TagSet"]
        assert stored == [{"Key": "a b", "Value": "1+2"}]

    def test_many_uploads_at_once_stay_apart(self, form, raw, bucket, payload):
        from concurrent.futures import ThreadPoolExecutor

        contents = [payload(secrets.randbelow(300_000)) for _ in range(16)]

        def upload(index):
            return form(key=f"many/{index}", file=contents[index]).post().status

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(upload, range(16))) == {204}
        for index, content in enumerate(contents):
            assert raw.request("GET", f"/{bucket}/many/{index}").body == content
