"""The eight promises of the design, asserted from outside after a run: over HTTP and in what the stores hold."""

import hashlib
import json
import re
import time

from support.processes import wait_until

import model
from clients import Client
from model import ANY
from schedule import CLOCK_STEP_SECONDS
from world import BUCKETS, COUNTRIES, LEASE_SECONDS, PROXIED, RCLONE_SECRET, Rclone

RECOVERY_SECONDS = 60  # a circuit breaker may pause for 30 s
DRAIN_SECONDS = 120
READ_BACK_ATTEMPTS = 40
EXPLAINED_LEFTOVERS = 12
ALLOWED = {f"{bucket.tenant}-{bucket.name}/": set(bucket.backends) for bucket in BUCKETS}
# KEY~VERSION of what a write brought, KEY~VERSION~COPY of what a worker made.
ULID = re.compile(r"^(?P<key>[^~]*)~(?P<version>[0-9A-Z]{26})(~[0-9A-Z]{26})?$")
RECOVERY_BUCKETS = "s3gr-"
TEMPORARY = ".s3gw-tmp"
RCLONE_TEMPORARY = ".rclone_temp_"


class Checker:
    def __init__(self, world, record, log):
        self.world, self.record, self.log = world, record, log
        self.identities = {}  # (tenant, bucket, key, version id or ANY) -> id of the version that lives
        self.unfinished = []  # files of writes that were cut short
        self.leftovers = []  # what is on a backend and in no live version

    def violated(self, promise, words):
        self.record.violated(promise, words)

    # While the gateway still runs.

    def recovers(self, seed):
        """Every bucket takes a write again, by itself."""
        for bucket in BUCKETS:
            client = Client(900, bucket.tenant, self.world, self.record, seed)
            key = (bucket.tenant, bucket.name, bucket.key_names[0])
            before = time.monotonic()

            def written():
                done = len([each for each in self.record.history if each.certain and each.kind == "put"])
                client.record.unknown[key] = 0
                client.put(bucket, key)
                return len([each for each in self.record.history if each.certain and each.kind == "put"]) > done

            try:
                wait_until(written, "a write", RECOVERY_SECONDS, pause=0.3)
            except AssertionError:
                self.violated("work resumes by itself", f"no write to {bucket.name} within {RECOVERY_SECONDS} s")
            if time.monotonic() - before > 5:
                self.log(f"{bucket.tenant}/{bucket.name} took writes again after {time.monotonic() - before:.1f} s")

    def end_uploads(self):
        """Ends what clients began and gave up, as a client would that was told of the failure."""
        for bucket in BUCKETS:
            client = Client(902, bucket.tenant, self.world, self.record, 0)
            answer = client.ask("list uploads", "GET", f"/{bucket.name}?uploads")
            assert answer is not None and answer.status == 200, answer
            for each in answer.xml.iter("Upload"):
                key = (bucket.tenant, bucket.name, each.findtext("Key"))
                ended = client.ask(
                    "end upload", "DELETE", client.target(key, f"uploadId={each.findtext('UploadId')}")
                )
                assert ended is not None and ended.status in (204, 404), ended

    def drain(self):
        """Lets a worker do all that is owed, now instead of when it would be due."""
        deadline = time.monotonic() + DRAIN_SECONDS
        jobs = []
        while time.monotonic() < deadline:
            jobs = self.world.s3gw_json("jobs", "list", "--limit", "100000")
            if not jobs:
                return
            waiting = [job["id"] for job in jobs if job["state"] != "leased"]
            for start in range(0, len(waiting), 500):
                # A job that ended meanwhile is no longer there to be retried.
                self.world.cli("jobs", "retry", *waiting[start : start + 500])
            self.world.run_worker("once")
            if any(job["state"] == "leased" for job in jobs):
                time.sleep(0.5)
                if time.monotonic() > deadline - DRAIN_SECONDS + 4 * LEASE_SECONDS:
                    # Claimed by a worker whose clock was ahead: such a lease ends when that time comes.
                    self.world.step_clock("ahead", CLOCK_STEP_SECONDS + 60)
                    self.world.run_worker("once", clock="ahead")
        words = json.dumps(jobs[:5], indent=1)
        self.violated("convergence", f"{len(jobs)} jobs are not done after {DRAIN_SECONDS} s, the first: {words}")

    def read_back(self):
        """Reads everything over HTTP, into the history; returns {(tenant, bucket, key, version id): (ETag, replicas)} of
        what lives."""
        live = {}
        for bucket in BUCKETS:
            client = Client(901, bucket.tenant, self.world, self.record, 0)
            for name in bucket.key_names:
                self.read_key(client, bucket, (bucket.tenant, bucket.name, name))
            client.list(bucket, None)
            if bucket.versioned:
                for (name, version), etag in client.versions(bucket).items():
                    if etag:
                        key = (bucket.tenant, bucket.name, name)
                        live[*key, version] = (etag, client.replicas_wanted(bucket, key, version))
                        self.read_key(client, bucket, key, version)
            else:
                for name in bucket.key_names:
                    key = (bucket.tenant, bucket.name, name)
                    if etag := self.current(bucket, name):
                        live[*key, ANY] = (etag, client.replicas_wanted(bucket, key))
        return live

    def read_key(self, client, bucket, key, version=None):
        query = f"versionId={version}" if version else ""
        for _ in range(READ_BACK_ATTEMPTS):
            call, answer = client.look("read back", "GET", key, query=query)
            if answer is not None and not answer.truncated and answer.status < 500:
                if version:
                    client.check_body(key, answer.header("ETag").strip('"'), answer)
                else:
                    client.read(bucket, key, call, answer)
                return
            time.sleep(0.5)
        self.violated("no acknowledged write is lost", f"{'/'.join(key)} {version or ''} cannot be read: {answer}")

    def current(self, bucket, name):
        key = (bucket.tenant, bucket.name, name)
        reads = [each for each in self.record.history if each.key == key and each.kind == "read"]
        return max(reads, key=lambda each: each.call).etags[0] if reads else None

    def explained(self):
        """Wrong bytes were read where nobody compares them on the way, and there only, and only those that were flipped.

        These are ranges, and whole objects that nginx reads from a store itself (docs/PROTOCOL.md, Reads; docs/nginx.md).
        """
        flips = {}
        with open(self.world.flips) as lines:
            for flip in map(json.loads, lines):
                excuse = "ranged" if flip["ranged"] else "conditional" if flip["conditional"] else "whole"
                flips.setdefault((flip["key"].partition("~")[0], excuse), set()).add((flip["at"], flip["mask"]))
        for doubt in self.record.doubts:
            known = flips.get((doubt.key, "ranged" if doubt.ranged else "conditional"), set())
            if doubt.part:
                first, wanted, told = doubt.part
                changed = (flipped(wanted, at - first, mask) for at, mask in known if 0 <= at - first < len(wanted))
                good = doubt.ranged and any(md5_of(each) == told for each in changed)
            else:
                good = known.issuperset(doubt.differences)
            if not good:
                words = f"{doubt.name}: {'a range' if doubt.ranged else 'a whole body'} of {doubt.key} is wrong"
                where = f"as {told} instead of {md5_of(wanted)}" if doubt.part else f"at {doubt.differences}"
                self.violated("never wrong bytes", f"{words} {where}; there were flipped {sorted(known)[:9]}")
        return len(self.record.doubts)

    # From here on nothing has to run.

    def linearizable(self, start):
        def copied_as(etag):
            value = self.record.values.of_etag(etag)
            return value.md5 if value else etag

        for words in model.violations(self.record.history, start, copied_as=copied_as):
            self.violated("linearizable: no lost write, read after write, one winner", words)

    def residency(self, misplaced):
        """No store was ever sent a byte of an object that its policy does not allow there; `misplaced` are names that were
        seen in the directory meanwhile."""
        seen = 0
        with open(self.world.record) as record:
            for line in record:
                note = json.loads(line)
                seen += 1
                for prefix, allowed in ALLOWED.items():
                    tenant, _, rest = prefix.partition("-")
                    # By the name and by the content: a value begins with TENANT/BUCKET/.
                    mark = f"{tenant}/{rest.rstrip('/')}/{prefix}"
                    if (prefix in note["key"] or mark in note["start"]) and note["backend"] not in allowed:
                        # A copy carries the mark of its source: then the name counts.
                        if prefix in note["key"] or not any(other in note["key"] for other in ALLOWED):
                            self.violated("policy before bytes", f"{note['backend']} was sent {note}")
        for name in sorted(set(misplaced) | set(self.world.misplaced())):
            self.violated("policy before bytes", f"se had {name}")
        return seen

    def stored(self, backend):
        """Returns {(physical bucket, physical key): MD5} of what a store holds."""
        if backend == "se":
            return self.stored_in_directory(self.world.backends["se"])
        store = self.world.stores[backend]
        if isinstance(store, Rclone):
            return {where: md5_of(path.read_bytes()) for where, path in store.objects().items()}
        client = store.client()
        return {
            (bucket, key): md5_of(client.get_object(Bucket=bucket, Key=key)["Body"].read())
            for bucket, key in store.objects()
        }

    @staticmethod
    def stored_in_directory(root):
        found = {}
        for path in root.rglob("*"):
            relative = path.relative_to(root)
            if not path.is_file() or path.name.endswith("%meta"):
                continue
            if relative.parts[0] == TEMPORARY:
                found[TEMPORARY, str(relative)] = None
            else:
                found[relative.parts[0], "/".join(relative.parts[1:]).removesuffix("%data")] = md5_of(path.read_bytes())
        return found

    def convergence(self, live):
        """Each live version has exactly its replicas, each dead one none, and nothing unknown is left."""
        places = {}  # (readable key, version id) -> {backend: md5}
        for backend in COUNTRIES:
            for (bucket, physical), md5 in self.stored(backend).items():
                if bucket.startswith(RECOVERY_BUCKETS):
                    continue  # what a lost database is made anew from
                match = ULID.match(physical)
                if not match:
                    # Files of a write that was cut short: the stores' own, and ours until they are an hour old.
                    is_temporary = bucket == TEMPORARY or physical.rpartition("/")[2].startswith(RCLONE_TEMPORARY)
                    (self.unfinished if is_temporary else self.leftovers).append(f"{backend}: {bucket}/{physical}")
                    continue
                copies = places.setdefault((match["key"], match["version"]), {})
                if backend in copies:
                    self.leftovers.append(f"{backend}: a second {bucket}/{physical}")
                copies[backend] = md5
        used = set()
        for (tenant, name, key, version), (etag, wanted) in live.items():
            bucket = next(each for each in BUCKETS if (each.tenant, each.name) == (tenant, name))
            value = self.record.values.of_etag(etag)
            where = (key, self.identities.get((tenant, name, key, version), version))
            copies = places.get(where, {})
            used.add(where)
            words = f"{tenant}/{name}/{key} version {where[1]}: on {sorted(copies)}, {wanted} wanted"
            if set(copies.values()) - {value.md5 if value else None}:
                self.violated("convergence", f"{words}, with other bytes than its value's")
            if len(copies) < wanted or not set(copies) <= set(bucket.backends):
                self.violated("convergence", words)
            elif len(copies) > wanted:
                self.leftovers.append(words)
        foreign = self.foreign()
        for where, copies in places.items():
            if where in used:
                continue
            if where in foreign and all(isinstance(self.world.stores.get(backend), Rclone) for backend in copies):
                # Stored, answered with an error, and without its metadata: `rclone serve s3` is not atomic. It is reported.
                self.unfinished.append(f"{', '.join(sorted(copies))}: {where[0]}~{where[1]}")
            else:
                known = self.state_of(*where) if len(self.leftovers) < EXPLAINED_LEFTOVERS else ""
                self.leftovers.append(f"{', '.join(sorted(copies))}: {where[0]}~{where[1]} {known}")

    def foreign(self):
        """Returns {(readable key, version id)} of the objects that the gateway reports as not provably its own."""
        found = self.world.query("SELECT CAST(physical_key AS TEXT) FROM findings WHERE kind = 'foreign'")
        matches = [ULID.match(key) for (key,) in found]
        return {(match["key"], match["version"]) for match in matches if match}

    def state_of(self, key, version):
        """Tells what the gateway knows of a version: nothing, or whether it lives and where it should be."""
        tenant, _, name = key.partition("/")[0].partition("-")
        shown = self.world.cli("object", "show", name, key, "--tenant", tenant, "--json")
        for each in json.loads(shown.stdout)["versions"] if shown.returncode == 0 else []:
            if each["versionId"] == version:
                replicas = {replica["backend"]: replica["state"] for replica in each["replicas"]}
                return f"({each['state']}, {replicas}, {each['eTag']})"
        return "(no row)"

    def claims(self, live):
        """The gateway knows of exactly the replicas that policy wants, and each of these is there."""
        stored = {backend: self.stored(backend) for backend in COUNTRIES}
        for (tenant, name, key, version), (etag, wanted) in live.items():
            value = self.record.values.of_etag(etag)
            shown = self.world.s3gw_json("object", "show", name, key, "--tenant", tenant)["versions"]
            for each in shown:
                if each["state"] != "live" or each["eTag"] != etag or version not in (ANY, each["versionId"]):
                    continue
                self.identities[tenant, name, key, version] = each["versionId"]
                claimed = {replica["backend"]: replica["state"] for replica in each["replicas"]}
                words = f"{tenant}/{name}/{key} version {each['versionId']}: {claimed}, {wanted} wanted"
                if list(claimed.values()) != ["present"] * wanted:
                    self.violated("convergence", f"the gateway knows of {words}")
                for backend in claimed:
                    places = [(found.partition("~"), md5) for (_, found), md5 in stored[backend].items()]
                    wanted_place = (key, each["versionId"])
                    there = [md5 for (first, _, rest), md5 in places if (first, rest[:26]) == wanted_place]
                    # A copy that came late from a dead worker stays beside it until a worker reconciles; `convergence` is then.
                    if not value or value.md5 not in there:
                        self.violated("convergence", f"{backend} does not have {words}")
                break
            else:
                self.violated("convergence", f"the gateway shows no live {tenant}/{name}/{key} {etag}: {shown}")

    def clear_failures(self):
        """Each refusal that the pool gave is in its log under its id; no secret is in any log."""
        logs = {path: path.read_text(errors="replace") for path in self.world.base.glob("*.log")}
        everything = "\n".join(logs.values())
        for identity, status, code, host in self.record.refusals:
            if status >= 500 and host != "nginx" and identity not in everything:
                self.violated("a failure is clear", f"{status} {code} of request {identity} is in no log")
        secrets = [tenant.credentials.secret_access_key for tenant in self.world.tenants.values()]
        secrets += [self.world.regions[name].secret_access_key for name in PROXIED] + [RCLONE_SECRET]
        for path, text in logs.items():
            for secret in secrets:
                if secret in text:
                    self.violated("a failure is clear", f"a secret is in {path.name}")


def flipped(data, at, mask):
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


def md5_of(data):
    return hashlib.md5(data).hexdigest()
