import Core

extension BackendHealth {
    /// A check that is older was made by a worker that does not run any more.
    private static let staleMilliseconds: Int64 = 5 * 60_000

    /// The health in a few words, for a table.
    func words(at now: Timestamp = .now()) -> String {
        guard let checkedAt else { return "not checked" }
        if now.milliseconds - checkedAt.milliseconds > Self.staleMilliseconds {
            return "not checked since \(checkedAt.iso8601)"
        }
        if let unhealthySince {
            let seconds = max(0, now.milliseconds - unhealthySince.milliseconds) / 1000
            return "unhealthy for \(seconds) s: \(failure ?? "")"
        }
        if let failure { return "failed once: \(failure)" }
        return openBreakers > 0 ? "well, \(openBreakers) of \(processes) processes say no" : "well"
    }

    var json: JSONValue {
        [
            "isHealthy": checkedAt == nil ? .null : .boolean(isHealthy), "checkedAt": .text(checkedAt?.iso8601),
            "checkMilliseconds": checkMilliseconds.map(JSONValue.integer) ?? .null, "failure": .text(failure),
            "unhealthySince": .text(unhealthySince?.iso8601), "processes": .number(processes),
            "openBreakers": .number(openBreakers), "calls": .integer(calls), "failures": .integer(failures),
            "latencyMicroseconds": latencyMicroseconds.map(JSONValue.integer) ?? .null,
        ]
    }
}
