#!/usr/bin/env python3
"""A second verifier, written from docs/proofs.md with nothing but Python's standard library.

verify.py KEY proof FILE          a proof of an event
verify.py KEY lake FOLDER STORE   a store's log and its data files, in the folder "lake" of a stopped server or a copy of its bucket
"""
import base64, hashlib, json, os, struct, sys
from datetime import datetime, timedelta, timezone

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def fail(text):
    print("invalid:", text)
    sys.exit(1)


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# Ed25519 (RFC 8032), slow and simple.
def add(a, b):
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2
    return (x1 * y2 + x2 * y1) * pow(1 + t, P - 2, P) % P, (y1 * y2 + x1 * x2) * pow(1 - t, P - 2, P) % P


def times(n, a):
    out = (0, 1)
    while n:
        if n & 1:
            out = add(out, a)
        a, n = add(a, a), n >> 1
    return out


def point(b):
    y = int.from_bytes(b, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    u, v = y * y - 1, D * y * y + 1
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if (v * x * x - u) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (v * x * x - u) % P or (x == 0 and sign):
        return None
    return (P - x if x & 1 != sign else x), y


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed(key, text, sig):
    a, r, s = point(key), point(sig[:32]), int.from_bytes(sig[32:], "little")
    if len(sig) != 64 or not a or not r or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(sig[:32] + key + text).digest(), "little") % L
    return times(s, BASE) == add(r, times(h, a))


# Merkle trees (RFC 6962).
def leaf_hash(data):
    return sha(b"\0", data)


def node(a, b):
    return sha(b"\1", a, b)


def root(leaves):
    if len(leaves) < 2:
        return leaves[0] if leaves else sha()
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return node(root(leaves[:k]), root(leaves[k:]))


def climb(leaf, index, size, path):
    if size == 1:
        return leaf if index == 0 and not path else fail("a path is too long")
    if not path:
        fail("a path is too short")
    k = 1 << (size - 1).bit_length() - 1
    if index < k:
        return node(climb(leaf, index, k, path[:-1]), path[-1])
    return node(path[-1], climb(leaf, index - k, size - k, path[:-1]))


def checkpoint(text, key, store):
    """The size and the root of a checkpoint that the key signed for that store's log."""
    origin = "loch/" + sha(key)[:8].hex() + "/" + store
    body, _, signatures = text.partition("\n\n")
    body += "\n"
    lines = body.split("\n")
    own = [s for s in signatures.split("\n") if s.startswith("\u2014 " + origin + " ")]  # beside it: witnesses' cosignatures
    if len(lines) != 4 or lines[0] != origin or not own:
        fail("the checkpoint is of another log or form")
    raw = base64.b64decode(own[0].split(" ")[2])
    if raw[:4] != sha(origin.encode(), b"\n\1", key)[:4] or not signed(key, body.encode(), raw[4:]):
        fail("the checkpoint's signature is not the key's")
    return int(lines[1]), base64.b64decode(lines[2])


def verify_proof(key, name):
    f = json.load(open(name))
    size, top = checkpoint(f["checkpoint"], key, f["store"])
    if climb(leaf_hash(f["leaf"].encode()), f["index"], size, [bytes.fromhex(h) for h in f["path"]]) != top:
        fail("the leaf is not in the checkpoint's tree")
    batch, e = json.loads(f["leaf"])["batch"], f["event"]
    envelope = b"loch/event/1\n"
    for s in (e["id"], e["writer"], e["provenance"]):
        envelope += struct.pack(">I", len(s.encode())) + s.encode()
    envelope += struct.pack(">qqqiB", e["epoch"], e["sequence"], e["accepted"], e["position"], e["conflict"])
    envelope += sha(base64.b64decode(f["text"]))
    path = [bytes.fromhex(h) for h in f["batchPath"]]
    if climb(leaf_hash(sha(envelope)), f["batchIndex"], batch["count"], path).hex() != batch["root"]:
        fail("the event is not in the batch")
    if any(e[k] != batch[k] for k in ("writer", "epoch", "sequence")) or not batch["first"] <= e["position"] <= batch["last"]:
        fail("the envelope is not one of the batch")
    print("valid: event", e["id"])


def tile(index, width):
    s = "%03d" % (index % 1000)
    while index := index // 1000:
        s = "x%03d/%s" % (index % 1000, s)
    return s + (".p/%d" % width if width < 256 else "")


FIRST, LAST = datetime.min.replace(tzinfo=timezone.utc), datetime.max.replace(tzinfo=timezone.utc)


def moment(text):
    """A time of a leaf, to the microsecond; None where there is none."""
    if not text:
        return None
    text, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(text + "+00:00") + timedelta(microseconds=int(fraction[:6].ljust(6, "0")))


def removed(r, settings, holds):
    """Fails where a removal was not due yet, by the settings of then, or went in spite of a hold."""
    at = moment(r["at"])
    early = at < moment(r["due"]) or r["rule"] == "deletion" and r["due"] != settings.get("deleteAfter")
    early = early or r["rule"] == "retention" and (at < (moment(settings.get("removeAfter")) or FIRST) or "deleteAfter" in settings)
    spans = []
    for day in r.get("days", []):
        start = moment(day + "T00:00:00Z")
        early = early or at < start + timedelta(days=settings["retentionDays"] + 1)
        spans.append((start, start + timedelta(days=1)))
    if early or r["rule"] not in ("retention", "deletion") or bool(spans) != (r["rule"] == "retention"):
        fail("a removal at %s was early" % r["at"])
    if any(a < to and since < b for a, b in spans or [(FIRST, LAST)] for since, to in holds):
        fail("a removal at %s took what was on hold" % r["at"])


def verify_lake(key, folder, store):
    log, table = os.path.join(folder, "logs", store), os.path.join(folder, "tables", store)
    read = lambda *path: open(os.path.join(*path), "rb").read()
    size, top = checkpoint(read(log, "checkpoint").decode(), key, store)
    leaves, files = [], {}
    for n in range(0, size, 256):
        width = min(size - n, 256)
        bundle = read(log, "tile/entries", tile(n // 256, width))
        while bundle:
            length = struct.unpack(">H", bundle[:2])[0]
            leaves.append(bundle[2 : 2 + length])
            bundle = bundle[2 + length :]
    hashes = [leaf_hash(l) for l in leaves]
    if len(leaves) != size or root(hashes) != top:
        fail("the entries do not make the checkpoint's root")
    level = 0
    while hashes:
        for n in range(0, len(hashes), 256):
            if read(log, "tile/%d" % level, tile(n // 256, min(len(hashes) - n, 256))) != b"".join(hashes[n : n + 256]):
                fail("tile %d/%d is not what the entries make" % (level, n // 256))
        hashes, level = [root(hashes[n : n + 256]) for n in range(0, len(hashes) // 256 * 256, 256)], level + 1
    rows, erased, batches, store_is, holds = 0, [], {}, {}, {}
    for l in map(json.loads, leaves):
        store_is = l.get("store", {}).get("settings", store_is)
        if batch := l.get("batch"):
            batches[batch["day"]] = batches.get(batch["day"], 0) + batch["count"]
        if hold := l.get("hold"):
            holds.pop(hold["id"], None)
            if hold["change"] == "placed":
                holds[hold["id"]] = (moment(hold.get("from")) or FIRST, moment(hold.get("to")) or LAST)
        if removal := l.get("removal"):
            removed(removal, store_is, holds.values())
            for day in removal.get("days") or list(batches):
                batches.pop(day, None)
                erased = [d for d in erased if d != day]
            if not removal.get("days"):
                files.clear()
        if erasure := l.get("erasure"):
            time = moment(erasure["time"])
            if any(start <= time < end for start, end in holds.values()):
                fail("an event of %s was erased under a hold" % erasure["day"])
            erased.append(erasure["day"])
        for f in l.get("snapshot", {}).get("added", []):
            files[f["path"]] = f
        for path in l.get("snapshot", {}).get("removed", []):
            del files[path]
    events = sum(batches.values())
    for path, f in files.items():
        rows += f["rows"]
        if sha(read(table, path)).hex() != f["sha256"]:
            fail("file %s was changed" % path)
    if rows != events:
        fail("%d rows, and %d events in batches" % (rows, events))
    print("valid: %d leaves, %d files, %d events, %d erased" % (size, len(files), events, len(erased)))


if __name__ == "__main__":
    public = base64.b64decode(sys.argv[1])
    if sys.argv[2] == "proof":
        verify_proof(public, sys.argv[3])
    else:
        verify_lake(public, sys.argv[3], sys.argv[4])
