import Glibc

/// One line of the table: medians of what one operation took.
struct Measurement {
    let name: String
    /// On the wall clock, waits for the disk included.
    let microseconds: Double
    /// CPU time of the calling thread, which a busy machine does not change; nil when other threads worked.
    let cpuMicroseconds: Double?
    /// Bytes that one operation worked through; 0 when that says nothing.
    let bytes: Int

    static let sampleCount = 11
    /// A sample repeats short operations for so long, so that the clock itself does not count.
    private static let sampleMicroseconds = 20_000.0
    private static let largestBatch = 100_000

    /// Runs `operation` often enough for a steady median.
    init(_ name: String, bytes: Int = 0, operation: () throws -> Void) rethrows {
        let first = try Self.sample(1, operation).wall
        let batch = Int(max(1, min(Double(Self.largestBatch), Self.sampleMicroseconds / max(first, 0.01))))
        _ = try Self.sample(batch, operation)
        var wall: [Double] = []
        var cpu: [Double] = []
        for _ in 0..<Self.sampleCount {
            let sample = try Self.sample(batch, operation)
            wall.append(sample.wall)
            cpu.append(sample.cpu)
        }
        self.name = name
        self.bytes = bytes
        microseconds = Self.median(wall)
        cpuMicroseconds = Self.median(cpu)
    }

    /// Takes microseconds that were measured elsewhere.
    init(_ name: String, microseconds samples: [Double]) {
        self.name = name
        bytes = 0
        microseconds = Self.median(samples)
        cpuMicroseconds = nil
    }

    static func microseconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
    }

    private static func sample(_ count: Int, _ operation: () throws -> Void) rethrows -> (wall: Double, cpu: Double) {
        let wall = microseconds(CLOCK_MONOTONIC)
        let cpu = microseconds(CLOCK_THREAD_CPUTIME_ID)
        for _ in 0..<count { try operation() }
        let cpuUsed = microseconds(CLOCK_THREAD_CPUTIME_ID) - cpu
        return ((microseconds(CLOCK_MONOTONIC) - wall) / Double(count), cpuUsed / Double(count))
    }

    private static func median(_ samples: [Double]) -> Double { samples.sorted()[samples.count / 2] }

    /// Megabytes (10^6) a second of CPU time; nil when the operation is not about bytes.
    var megabytesPerSecond: Double? { bytes > 0 ? cpuMicroseconds.map { Double(bytes) / $0 } : nil }

    static let title =
        column("one operation", 58, atEnd: false) + column("us", 10) + column("CPU us", 10) + column("MB/s", 10)

    var line: String {
        Self.column("  " + name, 58, atEnd: false) + Self.column(Self.tenths(microseconds), 10)
            + Self.column(Self.tenths(cpuMicroseconds), 10) + Self.column(Self.tenths(megabytesPerSecond), 10)
    }

    var json: String {
        let cpu = cpuMicroseconds.map { ", \"cpuMicroseconds\": \($0)" } ?? ""
        let speed = megabytesPerSecond.map { ", \"megabytesPerSecond\": \($0)" } ?? ""
        return "{\"name\": \"\(name)\", \"microseconds\": \(microseconds)\(cpu)\(speed)}"
    }

    private static func column(_ text: String, _ width: Int, atEnd: Bool = true) -> String {
        let room = String(repeating: " ", count: max(1, width - text.count))
        return atEnd ? room + text : text + room
    }

    private static func tenths(_ number: Double?) -> String {
        guard let number else { return "" }
        let tenths = Int((number * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}

/// Stops when a result is not what the operation must give: a benchmark of something that failed is fast and worthless.
func require(_ condition: Bool, _ what: @autoclosure () -> String) {
    guard condition else { fatalError("the benchmark is wrong: \(what())") }
}
