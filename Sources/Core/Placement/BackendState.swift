/// What the operator lets happen on a backend (DESIGN.md 7).
package enum BackendState: String, Sendable, CaseIterable, Codable {
    /// Read and written.
    case active
    /// Read, never written.
    case readOnly = "read-only"
    /// Read; the worker moves everything off it.
    case draining
    /// Neither read nor written, but expected back: replicas there count.
    case offline
    /// Gone for good: replicas there count as gone, and their rows end without asking the store.
    case lost

    /// Whether bytes may be read from there.
    package var isReadable: Bool { self != .offline && self != .lost }
}
