/// How fast a worker is, and how long it has to go on, in one line.
package struct WorkerProgress: Sendable {
    private var last = WorkerCounts.Values()
    private var lastMilliseconds: Int64

    /// `milliseconds` are on the monotonic clock, here and in `line`.
    package init(at milliseconds: Int64) { lastMilliseconds = milliseconds }

    /// Tells what was done since the last line, how fast, and when the `left` jobs are done at that speed.
    ///
    /// Nil when nothing was done. Looks like
    /// `copied 120 (8388608 bytes), removed 3; 41 jobs/s, 2.7 MiB/s; 5120 left, 2 min 5 s to go`.
    package mutating func line(_ counts: WorkerCounts.Values, left: Int, at milliseconds: Int64) -> String? {
        let news = counts.since(last)
        let seconds = Double(max(milliseconds - lastMilliseconds, 1)) / 1000
        last = counts
        lastMilliseconds = milliseconds
        guard !news.isEmpty else { return nil }
        let jobsPerSecond = Double(news.ended) / seconds
        let mebibytesPerSecond = Double(news.copiedBytes) / seconds / Double(1 << 20)
        var text = "\(news.text); \(Self.number(jobsPerSecond)) jobs/s"
        if news.copiedBytes > 0 { text += ", \(Self.number(mebibytesPerSecond)) MiB/s" }
        text += "; \(left) left"
        if left > 0 && jobsPerSecond > 0 { text += ", \(Self.duration(Double(left) / jobsPerSecond)) to go" }
        return text
    }

    /// One decimal below 10, none above.
    private static func number(_ value: Double) -> String {
        guard value < 10 else { return String(Int64(value.rounded())) }
        let tenths = Int64((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    private static let longestSeconds = 1e9

    private static func duration(_ seconds: Double) -> String {
        let whole = Int64(min(seconds, longestSeconds).rounded(.up))
        if whole < 60 { return "\(whole) s" }
        if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
        return "\(whole / 3600) h \(whole % 3600 / 60) min"
    }
}

extension WorkerCounts.Values {
    /// Jobs that are gone.
    var ended: Int {
        copied + removed + bucketsRemoved + uploadsEnded + expired + redirected + verified + obsolete + buried
    }
}
