"""The reference model: what one key may answer, given everything that clients did and heard.

Every operation on a key is kept with the moments of its call and its answer. `violations` searches an order of them that
respects real time and explains every answer: linearizability, decided for each key by itself (Herlihy and Wing: a history
is linearizable when each object's is). An operation without an answer, or with a 5xx, may have happened at any time after
its call, or not at all.

A state is a tuple of (version id, ETag, tags), the current one last; a delete marker's ETag is None. In a bucket without
versions it has at most one element, whose id is "null". An id that nobody was told is `Unknown`. The tags of a version are
`tags_text` of them, ANY when nobody can tell: those of a copy that kept its source's.
"""

import itertools
import time
from dataclasses import dataclass, field, replace

FOREVER = float("inf")
SEARCH_SECONDS = 60
ANY = object()
UNSEEN = "of a copy that nobody read"


@dataclass(frozen=True)
class Unknown:
    """The version id of a write whose answer never came."""

    number: int


def same_id(known, told):
    return told is ANY or known == told or isinstance(known, Unknown)


def tags_text(tags):
    """Returns {name: value} as one string."""
    return "&".join(f"{name}={value}" for name, value in sorted(tags.items()))


@dataclass
class Operation:
    key: tuple  # (tenant, bucket, key)
    kind: str  # put, delete, delete-version, tag, read, tags, versions, refused
    call: float
    end: float = FOREVER
    certain: bool = False  # its answer came, and said that it was done
    etags: tuple = ()  # put: the one it wrote, or each that it may have written; read: what was seen, None for nothing
    # put and delete: the id it made; read: the id it saw; delete-version: the id it removes; tag and tags: the id it named
    version: object = ANY
    tags: object = ""  # put and tag: those it wrote; tags: those it saw
    versioned: bool = False
    condition: tuple = ()  # ("none",) for If-None-Match: *; ("match", etag)
    listing: tuple = ()  # versions: ((id, etag), ...), the oldest first
    source: tuple = ()  # put: the key it is a copy of, while its ETag is unknown
    note: str = ""
    number: int = field(default_factory=itertools.count().__next__)

    def after(self, state):
        """Returns the states that this operation can lead to when it happens in `state`; none when it cannot happen so."""
        current = state[-1][1] if state else None
        if self.kind == "put":
            if not self.holds(current):
                return []
            identity = Unknown(self.number) if self.version is ANY else self.version
            return [self.pushed(state, (identity, etag, self.tags)) for etag in self.etags]
        if self.kind == "delete":
            if not self.versioned:
                return [()]
            identity = Unknown(self.number) if self.version is ANY else self.version
            return [self.pushed(state, (identity, None, ""))]
        if self.kind == "delete-version":
            left = tuple(each for each in state if each[0] != self.version)
            return [left]
        if self.kind in ("tag", "tags"):
            return self.after_tagging(state)
        if self.kind == "read":
            seen = current in self.etags and (current is None or same_id(state[-1][0], self.version))
            return [state] if seen else []
        if self.kind == "versions":
            fits = len(state) == len(self.listing) and all(
                same_id(known[0], told[0]) and known[1] == told[1] for known, told in zip(state, self.listing)
            )
            return [state] if fits else []
        if self.kind == "refused":
            return [] if self.holds(current) else [state]
        raise ValueError(self.kind)

    def after_tagging(self, state):
        last = len(state) - 1
        found = [at for at, each in enumerate(state) if at == last or self.version is not ANY]
        found = [at for at in found if self.version in (ANY, state[at][0]) and state[at][1]]
        if not found:
            return []
        identity, etag, tags = state[found[0]]
        if self.kind == "tags":
            return [state] if tags in (ANY, self.tags) else []
        return [(*state[: found[0]], (identity, etag, self.tags), *state[found[0] + 1 :])]

    def pushed(self, state, version):
        return (*state, version) if self.versioned else (version,)

    def holds(self, current):
        """Tells whether the condition of this write is met."""
        if not self.condition:
            return True
        if self.condition[0] == "none":
            return current is None
        return current == self.condition[1]

    def text(self, start):
        end = "never" if self.end == FOREVER else f"{self.end - start:8.3f}"
        words = [f"{self.call - start:8.3f} .. {end:>8}", self.kind, "done" if self.certain else "unknown"]
        if self.condition:
            words.append(f"if {self.condition}")
        if self.kind in ("put", "read"):
            words.append(" or ".join((each or "nothing")[:12] for each in self.etags[:3]))
        if self.version is not ANY:
            words.append(f"version {self.version}")
        if self.tags:
            words.append("any tags" if self.tags is ANY else self.tags)
        if self.listing:
            words.append(str([(each[0], (each[1] or "marker")[:12]) for each in self.listing]))
        return "  ".join([*words, self.note])


class Undecided(Exception):
    """The search took too long."""


def explain(operations, seconds=SEARCH_SECONDS):
    """Tells whether an order of `operations` (of one key) explains all answers; raises Undecided after `seconds`."""
    operations = sorted(operations, key=lambda each: each.call)
    certain = sum(1 << index for index, each in enumerate(operations) if each.certain)
    # Answers come before what never answered: an unknown write is only taken when something needs it.
    order = sorted(range(len(operations)), key=lambda index: (operations[index].end, index))
    deadline = time.monotonic() + seconds
    seen = set()
    stack = [(0, ())]
    while stack:
        done, state = stack.pop()
        if done & certain == certain:
            return True
        if (done, state) in seen:
            continue
        seen.add((done, state))
        if len(seen) % 1000 == 0 and time.monotonic() > deadline:
            raise Undecided
        # What is not done yet and answered first: nothing that was called after that may come before it.
        limit = min(operations[index].end for index in order if not done >> index & 1)
        following = []
        for index in order:
            operation = operations[index]
            if done >> index & 1 or operation.call > limit:
                continue
            for state_after in operation.after(state):
                if not operation.certain and state_after == state:
                    continue
                following.append((done | 1 << index, state_after))
        stack.extend(reversed(following))
    return False


def shrink(operations):
    """Returns a small part of a history that cannot be explained: its shortest bad prefix by time of answer.

    Operations that answered later stay, as ones that may have happened.
    """
    ends = sorted(each.end for each in operations if each.certain)
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high) // 2
        try:
            good = explain(cut(operations, ends[middle]), SEARCH_SECONDS / 4)
        except Undecided:
            good = False
        low, high = (middle + 1, high) if good else (low, middle)
    return cut(operations, ends[low]) if ends else operations


def cut(operations, moment):
    """Returns what had been called at `moment`; what had not answered by then is unknown."""
    found = []
    for each in operations:
        if each.call > moment:
            continue
        if each.end > moment:
            if each.kind in ("read", "tags", "versions", "refused"):
                continue
            each = replace(each, end=FOREVER, certain=False)
        found.append(each)
    return found


def settle_copies(history, copied_as):
    """Gives each copy that had no answer the ETags that it may have written: those its source ever had, if seen since.

    `copied_as` tells the ETag of a copy from its source's: an object made of parts becomes one of one piece.
    """
    ever, sources = {}, {}
    for each in history:
        if each.kind == "put":
            ever.setdefault(each.key, set()).update(each.etags)
            if not each.etags:
                sources.setdefault(each.key, set()).add(each.source)
    changed = True
    while changed:
        changed = False
        for key, others in sources.items():
            possible = {copied_as(etag) for other in others for etag in ever.get(other, ())}
            new = possible - ever.setdefault(key, set())
            changed = changed or bool(new)
            ever[key] |= new
    seen = {}
    for each in history:
        if each.kind == "read":
            seen.setdefault(each.key, set()).update(each.etags)
        elif each.kind == "versions":
            seen.setdefault(each.key, set()).update(etag for _, etag in each.listing)
        if each.condition:
            seen.setdefault(each.key, set()).update(each.condition[1:])
    for each in history:
        if each.kind == "put" and not each.etags:
            possible = {copied_as(etag) for etag in ever.get(each.source, ())}
            each.etags = (*sorted(possible & seen.get(each.key, set()) - {None}), UNSEEN)


def violations(history, start=0.0, tail=14, copied_as=lambda etag: etag):
    """Returns words about every key whose history cannot be explained."""
    settle_copies(history, copied_as)
    by_key = {}
    for operation in history:
        by_key.setdefault(operation.key, []).append(operation)
    found = []
    for key, operations in sorted(by_key.items()):
        try:
            if explain(operations):
                continue
            reason = "no order of its operations explains all answers"
        except Undecided:
            reason = f"no explanation was found in {SEARCH_SECONDS} s"
        bad = sorted(shrink(operations), key=lambda each: min(each.end, each.call + 1000))
        lines = "\n".join("    " + each.text(start) for each in bad[-tail:])
        found.append(f"{'/'.join(key)}: {reason}; the last of {len(bad)} operations until the bad answer:\n{lines}")
    return found
