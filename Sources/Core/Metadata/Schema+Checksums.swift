/// Schema: a CRC64NVME of a part that was sent with another checksum, in an upload that names no algorithm.
func checksumSchema(_ dialect: SQLDialect) -> String {
    "ALTER TABLE upload_parts ADD COLUMN crc64nvme \(dialect.bytes);"
}
