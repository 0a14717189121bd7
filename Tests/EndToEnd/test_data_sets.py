"""Parquet data sets as people keep them: through pyarrow's own S3 client, and through s3fs."""

import hashlib

import pyarrow as arrow
import pyarrow.compute as compute
import pyarrow.dataset as dataset
import pyarrow.parquet as parquet
import pytest
from pyarrow import fs

from support.clients import s3fs_program

MIB = 1 << 20
ROWS = 60_000
pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def files(world):
    credentials = world.credentials()
    return fs.S3FileSystem(
        access_key=credentials.access_key_id,
        secret_key=credentials.secret_access_key,
        region=world.settings["region"],
        endpoint_override=world.https_url,
        tls_ca_file_path=str(world.authority.ca),
    )


@pytest.fixture
def fresh(world):
    return world.new_bucket()


def table(rows=ROWS, first=0):
    numbers = arrow.array(range(first, first + rows))
    return arrow.table(
        {
            "number": numbers,
            "year": compute.add(2020, compute.bit_wise_and(numbers, 3)),
            "city": compute.if_else(compute.equal(compute.bit_wise_and(numbers, 1), 0), "Åbo & Turku", "Lahti/Lahtis"),
            "digest": [hashlib.sha256(b"%d" % number).hexdigest() for number in range(first, first + rows)],
        }
    )


def in_order(result):
    """The rows by number, with the columns of `table`, however partitions put them."""
    plain = result.select(["number", "year", "city", "digest"]).sort_by("number")
    return plain.set_column(1, "year", plain["year"].cast("int64")).set_column(2, "city", plain["city"].cast("string"))


def names(files, base):
    return sorted(each.path for each in files.get_file_info(fs.FileSelector(base, recursive=True)) if each.is_file)


def test_pyarrow_writes_reads_filters_overwrites_and_deletes_a_partitioned_data_set(files, fresh):
    base = f"{fresh}/warehouse/table one"
    words = {"filesystem": files, "format": "parquet", "partitioning": ["year", "city"], "partitioning_flavor": "hive"}
    dataset.write_dataset(table(), base, **words)
    written = names(files, base)
    assert len(written) == 4 and all("/year=20" in name and "/city=" in name for name in written), written
    read = dataset.dataset(base, filesystem=files, format="parquet", partitioning="hive")
    assert in_order(read.to_table()).equals(in_order(table()))
    some = read.to_table(filter=(dataset.field("year") == 2021) & (dataset.field("number") < 1000))
    assert some["number"].to_pylist() == list(range(1, 1000, 4))

    more = table(1_000, first=ROWS)
    with pytest.raises(arrow.ArrowInvalid, match="not empty"):
        dataset.write_dataset(more, base, **words)
    dataset.write_dataset(
        more, base, **words, basename_template="more-{i}.parquet", existing_data_behavior="overwrite_or_ignore"
    )
    read = dataset.dataset(base, filesystem=files, format="parquet", partitioning="hive")
    assert read.count_rows() == ROWS + 1_000

    dataset.write_dataset(more, base, **words, existing_data_behavior="delete_matching")
    assert in_order(parquet.read_table(base, filesystem=files)).equals(in_order(more))
    files.delete_dir(base)
    assert files.get_file_info(base).type == fs.FileType.NotFound


def test_pyarrow_streams_seeks_copies_and_moves(files, fresh, payload):
    body = payload(23 * MIB + 11)
    with files.open_output_stream(f"{fresh}/large file", metadata={"Content-Type": "text/x"}) as stream:
        for start in range(0, len(body), 7 * MIB):
            stream.write(body[start : start + 7 * MIB])
    with files.open_input_file(f"{fresh}/large file") as source:
        assert source.size() == len(body)
        for start, count in ((0, 10), (5 * MIB - 3, 9), (len(body) - 4, 4)):
            source.seek(start)
            assert source.read(count) == body[start : start + count]
    files.copy_file(f"{fresh}/large file", f"{fresh}/copy")
    files.move(f"{fresh}/copy", f"{fresh}/folder/moved")
    with files.open_input_stream(f"{fresh}/folder/moved") as source:
        assert hashlib.sha256(source.read()).digest() == hashlib.sha256(body).digest()
    assert files.get_file_info(f"{fresh}/copy").type == fs.FileType.NotFound
    assert files.get_file_info(f"{fresh}/folder").type == fs.FileType.Directory
    files.create_dir(f"{fresh}/empty/er")
    assert files.get_file_info(f"{fresh}/empty/er").type == fs.FileType.Directory
    files.delete_dir_contents(fresh)
    assert files.get_file_info(fs.FileSelector(fresh, recursive=True)) == []
    # What fails half way leaves nothing behind.
    with pytest.raises(OSError):
        files.open_input_file(f"{fresh}/nothing")


@pytest.mark.parametrize("scene", ["frames", "data_sets", "files", "versions"])
def test_s3fs(world, fresh, scene):
    """s3fs wants a botocore of its own and lives in an environment of its own: support/s3fs_scenes.py runs there."""
    assert s3fs_program(world, scene, fresh).splitlines()[-1] == b"done"
