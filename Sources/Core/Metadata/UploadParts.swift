/// Parts: of uploads that run, and of versions that were made of parts.
extension SQLConnection {
    /// Counts a part whose bytes are durable on the backends of `tokens`; an earlier one of that number is replaced.
    ///
    /// False when the upload is not open any more.
    package func putPart(_ part: UploadPart, of id: VersionID) throws(S3Error) -> Bool {
        guard try has("SELECT 1 FROM uploads WHERE id = $1 AND state = 'open'", .bytes(id.bytes)) else { return false }
        try run(
            """
            INSERT INTO upload_parts (
                upload_id, number, size_bytes, md5, checksum_algorithm, checksum, last_modified, tokens, crc64nvme)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (upload_id, number) DO UPDATE SET
                size_bytes = excluded.size_bytes, md5 = excluded.md5,
                checksum_algorithm = excluded.checksum_algorithm, checksum = excluded.checksum,
                last_modified = excluded.last_modified, tokens = excluded.tokens, crc64nvme = excluded.crc64nvme
            """, .bytes(id.bytes), .int(Int64(part.number.value)), .int(part.sizeBytes), .bytes(part.md5),
            SQLValue(part.checksum?.algorithm.rawValue), SQLValue(part.checksum?.value), SQLValue(part.lastModified),
            .text(PartTokens.text(part.tokens)), SQLValue(part.unnamedChecksum))
        return true
    }

    /// Returns up to `limit` parts with numbers above `after`, by number.
    package func uploadParts(_ id: VersionID, after: Int = 0, limit: Int) throws(S3Error) -> [UploadPart] {
        try all(
            """
            SELECT number, size_bytes, md5, checksum_algorithm, checksum, last_modified, tokens, crc64nvme
            FROM upload_parts WHERE upload_id = $1 AND number > $2 ORDER BY number LIMIT $3
            """, .bytes(id.bytes), .int(Int64(after)), .int(Int64(limit))
        ) { (row) throws(S3Error) in
            var checksum: ObjectChecksum?
            if !row.isNull(3) { checksum = ObjectChecksum(algorithm: try row.word(3), value: row.bytes(4)) }
            return UploadPart(
                number: try partNumber(row, 0), sizeBytes: row.int(1), md5: row.bytes(2), checksum: checksum,
                unnamedChecksum: row.optionalBytes(7), lastModified: row.time(5),
                tokens: try PartTokens.parse(row.text(6)))
        }
    }

    // MARK: Versions

    package func insertVersionParts(_ parts: [VersionPart], of sequence: Int64) throws(S3Error) {
        for part in parts {
            try run(
                """
                INSERT INTO version_parts (version_sequence, number, start, size_bytes, md5, checksum)
                VALUES ($1, $2, $3, $4, $5, $6)
                """, .int(sequence), .int(Int64(part.number.value)), .int(part.offset), .int(part.sizeBytes),
                .bytes(part.md5), SQLValue(part.checksum))
        }
    }

    /// Returns up to `limit` parts of a version with numbers above `after`, by number; none for one made in one piece.
    package func versionParts(
        sequence: Int64, after: Int = 0, limit: Int = PartNumber.maximum
    ) throws(S3Error) -> [VersionPart] {
        try all(
            """
            SELECT number, start, size_bytes, md5, checksum FROM version_parts
            WHERE version_sequence = $1 AND number > $2 ORDER BY number LIMIT $3
            """, .int(sequence), .int(Int64(after)), .int(Int64(limit)), row: versionPart)
    }

    /// Returns up to `limit` parts with numbers above `after`, by number, that are not empty and whole inside of `bytes`.
    package func versionParts(
        sequence: Int64, inside bytes: ClosedRange<Int64>, after: Int = 0, limit: Int
    ) throws(S3Error) -> [VersionPart] {
        try all(
            """
            SELECT number, start, size_bytes, md5, checksum FROM version_parts
            WHERE version_sequence = $1 AND number > $2 AND start >= $3 AND start + size_bytes <= $4 AND size_bytes > 0
            ORDER BY number LIMIT $5
            """, .int(sequence), .int(Int64(after)), .int(bytes.lowerBound), .int(bytes.upperBound + 1),
            .int(Int64(limit)), row: versionPart)
    }

    private func versionPart(_ row: any SQLStatement) throws(S3Error) -> VersionPart {
        VersionPart(
            number: try partNumber(row, 0), offset: row.int(1), sizeBytes: row.int(2), md5: row.bytes(3),
            checksum: row.optionalBytes(4))
    }

    private func partNumber(_ row: any SQLStatement, _ column: Int) throws(S3Error) -> PartNumber {
        guard let number = PartNumber(Int(row.int(column))) else {
            throw S3Error(.internalError, cause: "the database holds a part numbered \(row.int(column))")
        }
        return number
    }
}

/// What backends call a part, as one column: `BACKEND=TOKEN` with a blank between two.
private enum PartTokens {
    static func text(_ tokens: [Int64: String]) -> String {
        tokens.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
    }

    static func parse(_ text: String) throws(S3Error) -> [Int64: String] {
        var tokens: [Int64: String] = [:]
        for word in text.utf8.split(separator: 0x20) {
            guard let equals = word.firstIndex(of: UInt8(ascii: "=")),
                let backendID = DecimalNumber.parse(Array(word[..<equals]))
            else { throw S3Error(.internalError, cause: "the database holds a part with broken tokens") }
            tokens[Int64(backendID)] = String(decoding: word[word.index(after: equals)...], as: UTF8.self)
        }
        return tokens
    }
}
