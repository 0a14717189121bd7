/// Multipart uploads, the backends they run on, and their parts.
extension SQLConnection {
    // MARK: Uploads

    /// Adds an upload in state `creating` with its places, so that whatever the backends begin is known beforehand.
    ///
    /// Throws `NoSuchBucket` when the bucket is gone.
    package func insertUpload(_ upload: Upload, places: [UploadPlace]) throws(S3Error) {
        guard try bucket(id: upload.bucketID) != nil else { throw S3Error(.noSuchBucket) }
        try run(
            """
            INSERT INTO uploads (
                id, bucket_id, key, state, storage_class, checksum_algorithm, checksum_type, headers, initiated_at,
                tags)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            """, .bytes(upload.id.bytes), .int(upload.bucketID), .bytes(upload.key.bytes),
            .text(upload.state.rawValue), .text(upload.storageClass), SQLValue(upload.checksumAlgorithm?.rawValue),
            .text(upload.checksumType.rawValue), .bytes(HeaderList.encoded(upload.headers)),
            SQLValue(upload.initiatedAt), SQLValue(TagList.encoded(upload.tags)))
        for place in places { try insertPlace(place) }
    }

    /// Returns the upload; nil unless it is of that bucket and key and some client knows it.
    package func upload(id: VersionID, bucketID: Int64, key: ObjectKey) throws(S3Error) -> Upload? {
        try first(
            """
            SELECT id, bucket_id, key, state, storage_class, checksum_algorithm, checksum_type, headers, initiated_at,
                completing, tags
            FROM uploads WHERE id = $1 AND bucket_id = $2 AND key = $3 AND state <> 'creating'
            """, .bytes(id.bytes), .int(bucketID), .bytes(key.bytes), row: upload)
    }

    /// Shows an upload to its client; false when it has ended meanwhile.
    package func openUpload(id: VersionID) throws(S3Error) -> Bool {
        try run("UPDATE uploads SET state = 'open' WHERE id = $1 AND state = 'creating'", .bytes(id.bytes)) == 1
    }

    /// Begins the completion as the object with that ETag, or goes on with it; false when the upload has ended, or is
    /// being completed as another object.
    package func beginCompletion(id: VersionID, eTag: String) throws(S3Error) -> Bool {
        try run(
            """
            UPDATE uploads SET state = 'completing', completing = $2
            WHERE id = $1 AND (state = 'open' OR (state = 'completing' AND completing = $2))
            """, .bytes(id.bytes), .text(eTag)) == 1
    }

    /// Takes back the beginning of a completion that came to nothing; parts are taken again.
    package func reopenUpload(id: VersionID, eTag: String) throws(S3Error) {
        try run(
            "UPDATE uploads SET state = 'open', completing = NULL WHERE id = $1 AND completing = $2",
            .bytes(id.bytes), .text(eTag))
    }

    /// Tells whether the upload is being completed as the object with that ETag.
    package func isCompleting(id: VersionID, eTag: String) throws(S3Error) -> Bool {
        try has(
            "SELECT 1 FROM uploads WHERE id = $1 AND state = 'completing' AND completing = $2", .bytes(id.bytes),
            .text(eTag))
    }

    /// Ends the upload, whatever its state: its places but `completed` are cleared by jobs, its parts are forgotten.
    ///
    /// False when there is no such upload.
    @discardableResult
    package func endUpload(id: VersionID, completed: Set<Int64> = [], at time: Timestamp) throws(S3Error) -> Bool {
        let ended = try run("DELETE FROM uploads WHERE id = $1", .bytes(id.bytes)) == 1
        try run("DELETE FROM upload_parts WHERE upload_id = $1", .bytes(id.bytes))
        for place in try uploadPlaces(id) {
            if completed.contains(place.backendID) {
                try deletePlace(uploadID: id, backendID: place.backendID)
            } else {
                try endPlace(place, at: time)
            }
        }
        return ended
    }

    /// Ends all uploads of a bucket that is being deleted.
    package func endUploads(bucketID: Int64, at time: Timestamp) throws(S3Error) {
        let ids = try all("SELECT id FROM uploads WHERE bucket_id = $1", .int(bucketID)) {
            (row) throws(S3Error) in try row.versionID(0)
        }
        for id in ids { try endUpload(id: id, at: time) }
    }

    /// Ends up to `limit` uploads that began before `time`; returns how many.
    package func endUploads(
        begunBefore time: Timestamp, limit: Int, at now: Timestamp
    ) throws(S3Error) -> Int {
        let ids = try all(
            "SELECT id FROM uploads WHERE initiated_at < $1 ORDER BY initiated_at LIMIT $2", SQLValue(time),
            .int(Int64(limit))
        ) { (row) throws(S3Error) in try row.versionID(0) }
        for id in ids { try endUpload(id: id, at: now) }
        return ids.count
    }

    /// Ends up to `limit` uploads whose creation began before `time` and was cut short: no client knows them.
    ///
    /// Returns how many.
    package func endUploads(
        creationCutShortBefore time: Timestamp, limit: Int, at now: Timestamp
    ) throws(S3Error) -> Int {
        let ids = try all(
            "SELECT id FROM uploads WHERE state = 'creating' AND initiated_at < $1 ORDER BY initiated_at LIMIT $2",
            SQLValue(time), .int(Int64(limit))
        ) { (row) throws(S3Error) in try row.versionID(0) }
        for id in ids { try endUpload(id: id, at: now) }
        return ids.count
    }

    /// Ends the uploads that have no place left but on that backend, which is lost; the others go on without it.
    func endUploads(lostWith backendID: Int64, at time: Timestamp) throws(S3Error) {
        for place in try openPlaces(backendID: backendID) {
            var isElsewhere = false
            for other in try uploadPlaces(place.uploadID) where other.state == .open && other.backendID != backendID {
                if try !isLost(other.backendID) { isElsewhere = true }
            }
            if isElsewhere {
                try endPlace(place, at: time)
            } else {
                try endUpload(id: place.uploadID, at: time)
            }
        }
    }

    /// Ends every upload that runs on that backend; returns how many.
    ///
    /// Their clients have to begin anew.
    package func endUploads(runningOn backendID: Int64, at time: Timestamp) throws(S3Error) -> Int64 {
        var count: Int64 = 0
        for place in try openPlaces(backendID: backendID) where try endUpload(id: place.uploadID, at: time) {
            count += 1
        }
        return count
    }

    private func openPlaces(backendID: Int64) throws(S3Error) -> [UploadPlace] {
        try all(
            """
            SELECT upload_id, backend_id, bucket_id, physical_bucket, physical_key, native_id, state
            FROM upload_places WHERE backend_id = $1 AND state = 'open'
            """, .int(backendID), row: place)
    }

    // MARK: Places

    /// Returns all places of an upload, by backend.
    package func uploadPlaces(_ id: VersionID) throws(S3Error) -> [UploadPlace] {
        try all(
            """
            SELECT upload_id, backend_id, bucket_id, physical_bucket, physical_key, native_id, state
            FROM upload_places WHERE upload_id = $1 ORDER BY backend_id
            """, .bytes(id.bytes), row: place)
    }

    package func uploadPlace(_ id: VersionID, backendID: Int64) throws(S3Error) -> UploadPlace? {
        try first(
            """
            SELECT upload_id, backend_id, bucket_id, physical_bucket, physical_key, native_id, state
            FROM upload_places WHERE upload_id = $1 AND backend_id = $2
            """, .bytes(id.bytes), .int(backendID), row: place)
    }

    package func insertPlace(_ place: UploadPlace) throws(S3Error) {
        let isNew =
            try run(
                """
                INSERT INTO upload_places (
                    upload_id, backend_id, bucket_id, physical_bucket, physical_key, native_id, state)
                VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
                """, .bytes(place.uploadID.bytes), .int(place.backendID), .int(place.bucketID),
                .text(place.physicalBucket), .bytes(place.physicalKey), SQLValue(place.nativeID),
                .text(place.state.rawValue)) == 1
        guard isNew else { return }
        try appendLedger(
            .granted, bucketID: place.bucketID, versionID: place.uploadID, backendID: place.backendID)
    }

    package func setNativeID(_ nativeID: String, uploadID: VersionID, backendID: Int64) throws(S3Error) {
        try run(
            "UPDATE upload_places SET native_id = $3 WHERE upload_id = $1 AND backend_id = $2", .bytes(uploadID.bytes),
            .int(backendID), .text(nativeID))
    }

    /// Sends nothing more to a place and has it cleared; writes it down again when it was forgotten already.
    package func endPlace(_ place: UploadPlace, at time: Timestamp) throws(S3Error) {
        try insertPlace(place)
        try run(
            "UPDATE upload_places SET state = 'ending' WHERE upload_id = $1 AND backend_id = $2",
            .bytes(place.uploadID.bytes), .int(place.backendID))
        // What is there may be a whole object: until it is gone, somebody has to know that it is no version.
        if try version(id: place.uploadID) == nil {
            try touchRecord(
                of: place.uploadID, bucketID: place.bucketID, at: time.adding(seconds: RecordDelay.deathSeconds))
        }
        try insertJob(
            kind: .endUpload, bucketID: place.bucketID, versionID: place.uploadID, backendID: place.backendID,
            notBefore: time)
    }

    /// Forgets a place; `isCleared` says that nothing of the upload is left there, no object either.
    package func deletePlace(uploadID: VersionID, backendID: Int64, isCleared: Bool = false) throws(S3Error) {
        let place = try first(
            """
            DELETE FROM upload_places WHERE upload_id = $1 AND backend_id = $2 RETURNING bucket_id, physical_bucket
            """, .bytes(uploadID.bytes), .int(backendID)
        ) { (bucketID: $0.int(0), physicalBucket: $0.text(1)) }
        guard isCleared, let place else { return }
        try appendLedger(
            try isLost(backendID) ? .dropped : .removed, bucketID: place.bucketID, versionID: uploadID,
            backendID: backendID)
        try retireMapping(backendID: backendID, physicalName: place.physicalBucket, at: .now())
        if try version(id: uploadID) == nil { try touchKnownRecord(of: uploadID, at: .now()) }
    }

    /// Tells whether something of an upload may be in that physical bucket.
    package func hasUploadPlaces(backendID: Int64, physicalBucket: String) throws(S3Error) -> Bool {
        try has(
            "SELECT 1 FROM upload_places WHERE backend_id = $1 AND physical_bucket = $2 LIMIT 1", .int(backendID),
            .text(physicalBucket))
    }

    // MARK: Rows

    func upload(_ row: any SQLStatement) throws(S3Error) -> Upload {
        Upload(
            id: try row.versionID(0), bucketID: row.int(1), key: ObjectKey(stored: row.bytes(2)),
            state: try row.word(3), storageClass: row.text(4),
            checksumAlgorithm: row.isNull(5) ? nil : try row.word(5), checksumType: try row.word(6),
            headers: try HeaderList.decoded(row.bytes(7)), initiatedAt: row.time(8), completing: row.optionalText(9),
            tags: try TagList.decoded(row.optionalBytes(10)))
    }

    private func place(_ row: any SQLStatement) throws(S3Error) -> UploadPlace {
        UploadPlace(
            uploadID: try row.versionID(0), backendID: row.int(1), bucketID: row.int(2), physicalBucket: row.text(3),
            physicalKey: row.bytes(4), nativeID: row.optionalText(5), state: try row.word(6))
    }
}
