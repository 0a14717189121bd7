/// Bytes that were, or are, where they may not be.
package struct AttestationViolation: Sendable, Equatable {
    package enum Kind: String, Sendable {
        /// Sent there while no policy in force since the writing began allowed it.
        case arrival
        /// Still there, and the policy of now does not allow it.
        case staying
    }

    package var kind: Kind
    package var rule: String
    package var reason: String
    /// Since when they were there against the policy.
    package var since: Timestamp
}

/// One stay of a version's bytes at one backend.
package struct AttestedPlace: Sendable, Equatable {
    package enum State: String, Sendable {
        /// Bytes may be there; they were never all durable.
        case granted
        case present
        case removed
        case dropped
    }

    package var backendID: Int64
    package var backend: String
    package var location: Location
    package var state: State
    /// When bytes may first have been there by the ledger.
    package var from: Timestamp
    /// When all of them were durable; nil when they never were.
    package var presentAt: Timestamp?
    /// Nil while they are there.
    package var until: Timestamp?
    /// Number of the policy, in the attestation's list, that was in force on arrival.
    package var policy: Int
    /// The first moment of the stay at which the policy in force did not allow it; nil when it always did.
    package var notAllowedSince: Timestamp?
    package var violations: [AttestationViolation]
    /// The row that began it.
    package var sequence: Int64
}

/// Where the bytes of one version are and have been.
package struct AttestedVersion: Sendable, Equatable {
    package enum State: String, Sendable {
        case live, dead
        /// Its row is gone; so is its key. Also an upload that became no version.
        case gone
    }

    package var id: VersionID
    package var key: ObjectKey?
    package var state: State
    package var sizeBytes: Int64?
    package var places: [AttestedPlace]
}

/// Makes stays of a version's rows, and judges them.
struct AttestationJudge {
    let timeline: AttestationTimeline
    /// The last row that counts.
    let head: LedgerHead

    /// A worker's copy is decided on before its bytes are fetched: the decision may be this much older than its row.
    static let decisionMilliseconds: Int64 = 900_000
    /// A version that is older than this when its first row is written was not written through the gateway just then.
    static let writingMilliseconds: Int64 = 3_600_000

    /// Returns the stays that `rows`, all of one version and in order, tell of.
    func places(of rows: [LedgerEntry]) throws(S3Error) -> [AttestedPlace] {
        var places: [AttestedPlace] = []
        var open: [Int64: Int] = [:]
        for row in rows {
            guard let backendID = row.backendID else { continue }
            switch row.event {
            case .granted, .present:
                if let index = open[backendID] {
                    guard row.event == .present else { continue }
                    places[index].state = .present
                    if places[index].presentAt == nil { places[index].presentAt = row.recordedAt }
                } else {
                    open[backendID] = places.count
                    places.append(try arrival(row, backendID))
                }
            case .removed, .dropped:
                guard let index = open.removeValue(forKey: backendID) else { continue }
                places[index].state = row.event == .removed ? .removed : .dropped
                places[index].until = row.recordedAt
                judgeStay(&places[index], upTo: row.sequence)
            default: continue
            }
        }
        for index in open.values { judgeStay(&places[index], upTo: head.sequence) }
        return places
    }

    private func arrival(_ row: LedgerEntry, _ backendID: Int64) throws(S3Error) -> AttestedPlace {
        guard let backend = timeline.backend(backendID, at: row.sequence), let versionID = row.versionID else {
            throw S3Error(.internalError, cause: "row \(row.sequence) of the ledger names an unknown backend")
        }
        let index = timeline.segmentIndex(at: row.sequence)
        var place = AttestedPlace(
            backendID: backendID, backend: backend.name, location: backend.location,
            state: row.event == .present ? .present : .granted, from: row.recordedAt,
            presentAt: row.event == .present ? row.recordedAt : nil, policy: index, violations: [],
            sequence: row.sequence)
        let segments = timeline.segmentIndexes(since: decided(row, versionID), upTo: row.sequence)
        guard segments.allSatisfy({ timeline.segments[$0].policy.violation(by: backend.location) != nil }),
            let violation = timeline.segments[index].policy.violation(by: backend.location)
        else { return place }
        place.violations.append(
            AttestationViolation(
                kind: .arrival, rule: violation.rule, reason: violation.reason, since: row.recordedAt))
        return place
    }

    /// The earliest moment at which the place may have been chosen.
    private func decided(_ row: LedgerEntry, _ versionID: VersionID) -> Timestamp {
        let time = row.recordedAt.milliseconds
        let begun = versionID.time.milliseconds
        let isOwnWrite = row.event == .present && begun <= time && time - begun <= Self.writingMilliseconds
        return Timestamp(milliseconds: isOwnWrite ? begun : time - Self.decisionMilliseconds)
    }

    /// Notes since when a stay was against the policy, and whether it still is.
    private func judgeStay(_ place: inout AttestedPlace, upTo sequence: Int64) {
        var runSince: Timestamp?
        for index in place.policy...timeline.segmentIndex(at: sequence) {
            let segment = timeline.segments[index]
            guard segment.policy.violation(by: place.location) != nil else {
                runSince = nil
                continue
            }
            runSince = runSince ?? max(segment.from, place.from)
            place.notAllowedSince = place.notAllowedSince ?? runSince
        }
        guard place.until == nil, let runSince, let newest = timeline.segments.last,
            let violation = newest.policy.violation(by: place.location)
        else { return }
        place.violations.append(
            AttestationViolation(kind: .staying, rule: violation.rule, reason: violation.reason, since: runSince))
    }
}
