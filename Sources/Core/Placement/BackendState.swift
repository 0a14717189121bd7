/// What the operator lets happen on a backend (DESIGN.md 7).
package enum BackendState: String, Sendable, CaseIterable, Codable {
    /// Read and written.
    case active
    /// Read, never written.
    case readOnly = "read-only"
    /// Read; the worker moves everything off it.
    case draining
    /// Neither read nor written.
    case offline
}
