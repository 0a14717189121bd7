"""What people do with s3fs: run as `python s3fs_scenes.py SCENE BUCKET` by test_data_sets.py in s3fs's environment.

The AWS_* variables say where the gateway is; a scene that goes wrong ends with an exception.
"""

import hashlib
import os
import pathlib
import sys
import tempfile

import pandas
import pyarrow
import pyarrow.dataset
import pyarrow.parquet
import s3fs

MIB = 1 << 20
ROWS = 20_000


def frame(first=0, rows=ROWS):
    numbers = range(first, first + rows)
    return pandas.DataFrame(
        {
            "number": numbers,
            "day": [f"2026-01-0{number % 3 + 1}" for number in numbers],
            "text": [f"row {number} ü" for number in numbers],
        }
    )


def in_order(result):
    return result[["number", "day", "text"]].astype({"day": "str"}).sort_values("number").reset_index(drop=True)


def same(one, other):
    pandas.testing.assert_frame_equal(in_order(one), in_order(other))


def frames(files, bucket):
    """pandas on `s3://` addresses; with options for storage it takes s3fs and not pyarrow."""
    address = f"s3://{bucket}/frames"
    through = {"storage_options": {"anon": False}}
    frame().to_parquet(f"{address}/one.parquet", **through)
    same(pandas.read_parquet(f"{address}/one.parquet", **through), frame())
    frame(5).to_parquet(f"{address}/one.parquet", **through)
    same(pandas.read_parquet(f"{address}/one.parquet", **through), frame(5))
    frame().to_parquet(f"{address}/parted", partition_cols=["day"], **through)
    same(pandas.read_parquet(f"{address}/parted", **through), frame())
    one_day = pandas.read_parquet(f"{address}/parted", filters=[("day", "=", "2026-01-02")], **through)
    assert len(one_day) == len(range(1, ROWS, 3))
    frame().to_csv(f"{address}/table.csv.gz", index=False, **through)
    same(pandas.read_csv(f"{address}/table.csv.gz", **through), frame())


def data_sets(files, bucket):
    """pyarrow through s3fs: write, list, append, overwrite, delete."""
    base = f"{bucket}/sets/table"
    table = pyarrow.Table.from_pandas(frame())
    pyarrow.parquet.write_to_dataset(table, base, partition_cols=["day"], filesystem=files)
    found = files.find(base)
    assert len(found) == 3 and files.glob(f"{base}/day=*/*.parquet") == found
    same(pyarrow.parquet.read_table(base, filesystem=files).to_pandas(), frame())
    pyarrow.parquet.write_to_dataset(
        pyarrow.Table.from_pandas(frame(ROWS)), base, partition_cols=["day"], filesystem=files
    )
    assert pyarrow.dataset.dataset(base, filesystem=files, partitioning="hive").count_rows() == 2 * ROWS
    pyarrow.parquet.write_to_dataset(
        table, base, partition_cols=["day"], filesystem=files, existing_data_behavior="delete_matching"
    )
    same(pyarrow.parquet.read_table(base, filesystem=files).to_pandas(), frame())
    files.rm(base, recursive=True)
    files.invalidate_cache()
    assert not files.exists(base)


def files_and_folders(files, bucket):
    """What one does with a file system: write in blocks, read at random, copy, move, list, upload a tree."""
    body = os.urandom(17 * MIB + 3)
    with files.open(f"{bucket}/large", "wb", block_size=5 * MIB) as stream:
        for start in range(0, len(body), MIB):
            stream.write(body[start : start + MIB])
    assert files.info(f"{bucket}/large")["size"] == len(body)
    with files.open(f"{bucket}/large", "rb") as stream:
        stream.seek(9 * MIB - 2)
        assert stream.read(5) == body[9 * MIB - 2 : 9 * MIB + 3]
    assert files.cat_file(f"{bucket}/large", start=-6) == body[-6:]
    ranges = files.cat_ranges([f"{bucket}/large"] * 3, [0, 100, MIB], [10, 200, MIB + 1])
    assert ranges == [body[:10], body[100:200], body[MIB : MIB + 1]]
    with files.open(f"{bucket}/large", "ab") as stream:
        stream.write(b"appended")
    files.cp_file(f"{bucket}/large", f"{bucket}/copies/large")
    files.mv(f"{bucket}/copies/large", f"{bucket}/copies/moved")
    digest = hashlib.sha256(files.cat_file(f"{bucket}/copies/moved")).digest()
    assert digest == hashlib.sha256(body + b"appended").digest()
    assert files.ls(f"{bucket}/copies", detail=False) == [f"{bucket}/copies/moved"]
    files.touch(f"{bucket}/empty")
    files.pipe({f"{bucket}/many/{number}": b"%d" % number for number in range(30)})
    assert files.cat(f"{bucket}/many/*")[f"{bucket}/many/7"] == b"7"
    assert files.du(f"{bucket}/many") == 10 + 20 * 2
    with tempfile.TemporaryDirectory() as directory:
        source = pathlib.Path(directory, "tree")
        for number in range(5):
            path = source / f"{number % 2}" / f"file {number} +ü"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(1000 * number))
        files.put(f"{source}/", f"{bucket}/tree/", recursive=True)
        files.get(f"{bucket}/tree/", f"{directory}/back/", recursive=True)
        for path in source.rglob("*"):
            if path.is_file():
                assert pathlib.Path(directory, "back", path.relative_to(source)).read_bytes() == path.read_bytes()
    with files.open(f"{bucket}/new", "xb") as stream:
        stream.write(b"first")
    try:
        with files.open(f"{bucket}/new", "xb") as stream:
            stream.write(b"second")
    except FileExistsError:
        pass
    else:
        raise AssertionError("an exclusive write went over an object")
    assert files.cat_file(f"{bucket}/new") == b"first"
    files.rm(f"{bucket}/tree", recursive=True)
    files.rm([f"{bucket}/many/{number}" for number in range(30)])
    files.invalidate_cache()
    assert sorted(files.find(bucket)) == [f"{bucket}/{name}" for name in ("copies/moved", "empty", "large", "new")]


def versions(files, bucket):
    """Every state of a file by its version."""
    files.make_bucket_versioned(bucket, True)
    aware = s3fs.S3FileSystem(version_aware=True, skip_instance_cache=True)
    for body in (b"one", b"two"):
        with aware.open(f"{bucket}/k", "wb") as stream:
            stream.write(body)
    found = aware.object_version_info(f"{bucket}/k")
    assert len(found) == 2
    older = next(each["VersionId"] for each in found if not each["IsLatest"])
    with aware.open(f"{bucket}/k", "rb", version_id=older) as stream:
        assert stream.read() == b"one"
    aware.rm(f"{bucket}/k")
    aware.invalidate_cache()
    assert not aware.exists(f"{bucket}/k")


if __name__ == "__main__":
    scenes = {"frames": frames, "data_sets": data_sets, "files": files_and_folders, "versions": versions}
    scenes[sys.argv[1]](s3fs.S3FileSystem(), sys.argv[2])
    print("done")
