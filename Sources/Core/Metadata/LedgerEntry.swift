/// What a row of the ledger tells: everything that decides, or changes, where bytes are.
package enum LedgerEvent: String, Sendable, CaseIterable {
    case backendAdded = "backend-added"
    /// Another state, or another location.
    case backendChanged = "backend-changed"
    case backendLost = "backend-lost"
    case backendRemoved = "backend-removed"
    case policySet = "policy-set"
    case policyRemoved = "policy-removed"
    case bucketCreated = "bucket-created"
    case bucketDeleted = "bucket-deleted"
    /// Bytes of the version are about to be sent to the backend, or may be there.
    case granted
    /// All bytes of the version are durable on the backend.
    case present
    /// The backend has removed the bytes.
    case removed
    /// The replica was given up with its lost backend, which was not asked to remove anything.
    case dropped
}

/// One row of the ledger, which is never changed: the hash of each row covers the one before it.
///
/// The format is part of the protocol (docs/PROTOCOL.md, "The ledger").
package struct LedgerEntry: Sendable, Hashable {
    /// Counted from 1, without gaps.
    package var sequence: Int64
    package var recordedAt: Timestamp
    package var event: LedgerEvent
    package var tenantID: Int64?
    package var bucketID: Int64?
    package var versionID: VersionID?
    package var backendID: Int64?
    /// JSON of what was set, added or created; empty for events about replicas.
    package var details: [UInt8]

    package init(
        sequence: Int64, recordedAt: Timestamp, event: LedgerEvent, tenantID: Int64?, bucketID: Int64?,
        versionID: VersionID?, backendID: Int64?, details: [UInt8]
    ) {
        self.sequence = sequence
        self.recordedAt = recordedAt
        self.event = event
        self.tenantID = tenantID
        self.bucketID = bucketID
        self.versionID = versionID
        self.backendID = backendID
        self.details = details
    }

    /// Begins what is hashed, so that these bytes never mean anything else.
    private static let format = Array("s3gw-ledger-1\n".utf8)
    private static let usualSizeBytes = 256

    /// The bytes that are hashed: ten lines, empty where a field is not there, and the details as they are.
    package func canonical(after previousHash: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.usualSizeBytes + details.count)
        bytes += Self.format
        Self.line(sequence, &bytes)
        Self.line(recordedAt.milliseconds, &bytes)
        bytes += Hex.encode(previousHash)
        bytes.append(0x0A)
        bytes += event.rawValue.utf8
        bytes.append(0x0A)
        Self.line(tenantID, &bytes)
        Self.line(bucketID, &bytes)
        if let versionID { bytes += versionID.text }
        bytes.append(0x0A)
        Self.line(backendID, &bytes)
        bytes += details
        return bytes
    }

    /// The row's hash: SHA-256, 32 bytes.
    package func hash(after previousHash: [UInt8]) -> [UInt8] { Crypto.sha256(canonical(after: previousHash)) }

    private static func line(_ number: Int64?, _ bytes: inout [UInt8]) {
        if let number { bytes += String(number).utf8 }
        bytes.append(0x0A)
    }
}

/// The newest row of a ledger: how long it is and what all its rows hash to.
package struct LedgerHead: Sendable, Hashable {
    package var sequence: Int64
    /// 32 bytes.
    package var hash: [UInt8]

    package init(sequence: Int64, hash: [UInt8]) {
        self.sequence = sequence
        self.hash = hash
    }

    /// Before the first row.
    package static let empty = LedgerHead(sequence: 0, hash: [UInt8](repeating: 0, count: 32))
}
