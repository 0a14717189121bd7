import ArgumentParser
import Core

/// `s3gw backend set-limit`.
struct BackendSetLimit: ParsableCommand {
    static let configuration = CommandConfiguration.verb(
        "set-limit", "Say how much each worker process may do to a backend; without an option, show it.",
        """
        The limits are in the database and hold from a worker's next claim on. They are for each worker process: two \
        workers do twice as much. Bandwidth is reads and writes of the worker together, on average over the largest \
        piece it sends at once (16 MiB of a large object). none takes a limit away.
        """,
        examples: "s3gw backend set-limit fi --jobs 4 --bandwidth 50MiB/s", "s3gw backend set-limit fi --jobs none",
        "s3gw backend set-limit fi")

    @Argument var name: String
    @Option(help: "Jobs at the same time, 1 to 1000, or none.") var jobs: String?
    @Option(help: "Such as 50MiB/s, 800KiB/s or 1GiB/s, or none.") var bandwidth: String?
    @OptionGroup var options: StoreOptions

    private static let none = "none"
    private static let units: [(name: String, bytes: Int64)] = [
        ("KiB/s", 1 << 10), ("MiB/s", 1 << 20), ("GiB/s", 1 << 30), ("B/s", 1),
    ]
    private static let highestBytesPerSecond: Int64 = 1 << 40

    func validate() throws {
        if let jobs, jobs != Self.none, Self.jobCount(jobs) == nil {
            throw ValidationError("--jobs is 1 to 1000, or none.")
        }
        if let bandwidth, bandwidth != Self.none, Self.speed(bandwidth) == nil {
            throw ValidationError("--bandwidth is a number and KiB/s, MiB/s or GiB/s, 64KiB/s at least; or none.")
        }
    }

    func run() throws {
        try options.run { store in
            let backend = try store.backend(name)
            let limit = try store.write { sql throws(S3Error) in
                var limit = try sql.backendLimits()[backend.id] ?? BackendLimit()
                if let jobs { limit.jobs = Self.jobCount(jobs) }
                if let bandwidth { limit.bytesPerSecond = Self.speed(bandwidth) }
                if jobs != nil || bandwidth != nil { try sql.setLimit(backendID: backend.id, limit) }
                return limit
            }
            let speed = limit.bytesPerSecond.map { "\($0) bytes/s" } ?? "no limit"
            options.show(
                [
                    "name": .string(name), "jobs": limit.jobs.map { .number($0) } ?? .null,
                    "bytesPerSecond": limit.bytesPerSecond.map { .integer($0) } ?? .null,
                ],
                Table.fields([
                    ("backend", name), ("jobs of a worker", limit.jobs.map(String.init) ?? "no limit"),
                    ("bandwidth of a worker", speed),
                ]))
        }
    }

    private static func jobCount(_ text: String) -> Int? {
        Int(text).flatMap { BackendLimit.jobCounts.contains($0) ? $0 : nil }
    }

    private static func speed(_ text: String) -> Int64? {
        guard let unit = units.first(where: { text.hasSuffix($0.name) }),
            let number = Int64(text.dropLast(unit.name.count)), number > 0, number <= highestBytesPerSecond / unit.bytes
        else { return nil }
        let speed = number * unit.bytes
        return speed >= BackendLimit.lowestBytesPerSecond ? speed : nil
    }
}
