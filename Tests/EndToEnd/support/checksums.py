"""The five S3 checksum algorithms, as base64 of the big-endian value, computed here and not by the product.

CRC32C is RFC 3720 B.4 (Castagnoli, reflected 0x82F63B78); CRC64NVME is the NVM Express specification's CRC-64
(reflected 0x9A6C9329AC4BC9B5). Both are checked against their published check values when this module loads.
"""

import base64
import hashlib
import zlib


def _table(polynomial):
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
        table.append(value)
    return table


_CRC32C = _table(0x82F63B78)
_CRC64NVME = _table(0x9A6C9329AC4BC9B5)


def _reflected(data, table, bits):
    mask = (1 << bits) - 1
    value = mask
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    return (value ^ mask).to_bytes(bits // 8, "big")


RAW = {
    "crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "crc32c": lambda data: _reflected(data, _CRC32C, 32),
    "crc64nvme": lambda data: _reflected(data, _CRC64NVME, 64),
    "sha1": lambda data: hashlib.sha1(data).digest(),
    "sha256": lambda data: hashlib.sha256(data).digest(),
}
ALGORITHMS = tuple(RAW)


def checksum(algorithm, data):
    """Returns the value of the header `x-amz-checksum-<algorithm>` for `data`."""
    return base64.b64encode(RAW[algorithm](data)).decode()


def content_md5(data):
    return base64.b64encode(hashlib.md5(data).digest()).decode()


assert RAW["crc32c"](b"123456789").hex() == "e3069283"
assert RAW["crc64nvme"](b"123456789").hex() == "ae8b14860a799888"
