/// Live versions of one bucket that are alike for placement: the same places, the same wish for a number of replicas.
package struct VersionGroup: Sendable, Hashable {
    /// What the tag `replica-count` of these objects says; nil without one.
    package var replicaCountTag: Int?
    /// What is where, by backend.
    package var replicas: [Int64: ReplicaState]
    package var versions: Int64
    package var bytes: Int64
}

/// What one replica-count and one set of places stand for.
private struct GroupKey: Hashable {
    let replicaCountTag: Int?
    let places: String
}

extension SQLConnection {
    /// Sums a bucket's live versions by where they are; for people, as the database reads the whole bucket.
    ///
    /// There are few groups however many versions there are: memory is bounded by them.
    package func versionGroups(bucketID: Int64) throws(S3Error) -> [VersionGroup] {
        var groups: [GroupKey: (versions: Int64, bytes: Int64)] = [:]
        // PostgreSQL's string_agg does the same; its driver defines it under this name.
        _ = try all(
            """
            SELECT places, tags, COUNT(*), CAST(SUM(size_bytes) AS BIGINT) FROM (
                SELECT v.size_bytes, v.tags, (
                    SELECT group_concat(place) FROM (
                        SELECT r.backend_id || ' ' || r.state AS place FROM replicas r
                        WHERE r.version_sequence = v.sequence ORDER BY r.backend_id) AS ordered) AS places
                FROM versions v WHERE v.bucket_id = $1 AND v.state = 'live' AND v.is_delete_marker = 0) AS placed
            GROUP BY places, tags
            """, .int(bucketID)
        ) { (row) throws(S3Error) in
            let tags = try TagList.decoded(row.optionalBytes(1))
            let key = GroupKey(replicaCountTag: try tags.replicaCount(), places: row.text(0))
            let sum = groups[key] ?? (0, 0)
            groups[key] = (sum.versions + row.int(2), sum.bytes + row.int(3))
        }
        return try groups.map { key, sum throws(S3Error) in
            VersionGroup(
                replicaCountTag: key.replicaCountTag, replicas: try Self.places(key.places), versions: sum.versions,
                bytes: sum.bytes)
        }
    }

    private static func places(_ text: String) throws(S3Error) -> [Int64: ReplicaState] {
        var places: [Int64: ReplicaState] = [:]
        for place in text.split(separator: ",") {
            let words = place.split(separator: " ")
            guard words.count == 2, let id = Int64(words[0]), let state = ReplicaState(rawValue: String(words[1]))
            else {
                throw S3Error(.internalError, cause: "the database holds an unknown replica state: \(place)")
            }
            places[id] = state
        }
        return places
    }
}
