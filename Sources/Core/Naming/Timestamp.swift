private import Glibc

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
package struct Timestamp: Hashable, Comparable, Sendable {
    package var milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    package static func now() -> Timestamp {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    package static func < (one: Timestamp, other: Timestamp) -> Bool { one.milliseconds < other.milliseconds }

    package func adding(seconds: Int64) -> Timestamp { Timestamp(milliseconds: milliseconds + seconds * 1000) }

    /// Whole seconds since 1970, rounded down.
    package var seconds: Int64 { milliseconds >= 0 ? milliseconds / 1000 : (milliseconds - 999) / 1000 }

    /// The same moment as HTTP dates show it, and as S3 shows it in listings.
    package var wholeSecond: Timestamp { Timestamp(milliseconds: seconds * 1000) }

    package struct Civil: Sendable {
        package var year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int
        /// 0 is Sunday.
        package var weekday: Int
    }

    /// The proleptic Gregorian calendar fields in UTC.
    package var civil: Civil {
        let seconds = seconds
        let days = seconds >= 0 ? seconds / 86400 : (seconds - 86399) / 86400
        let rest = Int(seconds - days * 86400)
        // Days since 0000-03-01, in eras of 400 years, so that leap days end their years.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = Int(marchMonth < 10 ? marchMonth + 3 : marchMonth - 9)
        let year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
        return Civil(
            year: year, month: month, day: Int(dayOfYear - (153 * marchMonth + 2) / 5 + 1), hour: rest / 3600,
            minute: rest / 60 % 60, second: rest % 60, weekday: Int(((days + 4) % 7 + 7) % 7))
    }

    /// Returns nil when a field is out of its range; a leap second is read as second 59.
    package init?(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int, millisecond: Int = 0) {
        guard (1...9999).contains(year), (1...12).contains(month), (1...31).contains(day), (0...23).contains(hour),
            (0...59).contains(minute), (0...60).contains(second), (0...999).contains(millisecond)
        else { return nil }
        let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
        let lengths = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard day <= lengths[month - 1] else { return nil }
        let marchYear = Int64(month <= 2 ? year - 1 : year)
        let era = marchYear / 400
        let yearOfEra = marchYear - era * 400
        let dayOfYear = Int64((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1)
        let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        let secondOfDay = Int64(hour * 3600 + minute * 60 + min(second, 59))
        milliseconds = (days * 86400 + secondOfDay) * 1000 + Int64(millisecond)
    }
}

/// The written forms of time that S3 uses.
extension Timestamp {
    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// `2026-11-22T16:26:30.123Z`, as in listings.
    package var iso8601: String {
        let fields = civil
        let dash = UInt8(ascii: "-")
        let colon = UInt8(ascii: ":")
        var text = Digits(capacity: 24)
        text.append(fields.year, 4, dash)
        text.append(fields.month, 2, dash)
        text.append(fields.day, 2, UInt8(ascii: "T"))
        text.append(fields.hour, 2, colon)
        text.append(fields.minute, 2, colon)
        text.append(fields.second, 2, UInt8(ascii: "."))
        text.append(Int(milliseconds - seconds * 1000), 3, UInt8(ascii: "Z"))
        return text.string
    }

    /// `20261122T162630Z`, as in signatures.
    package var iso8601Basic: String {
        let fields = civil
        var text = Digits(capacity: 16)
        text.append(fields.year, 4)
        text.append(fields.month, 2)
        text.append(fields.day, 2, UInt8(ascii: "T"))
        text.append(fields.hour, 2)
        text.append(fields.minute, 2)
        text.append(fields.second, 2, UInt8(ascii: "Z"))
        return text.string
    }

    /// `Sun, 22 Nov 2026 16:26:30 GMT` (RFC 9110 5.6.7, IMF-fixdate).
    package var httpDate: String {
        let fields = civil
        let colon = UInt8(ascii: ":")
        var text = Digits(capacity: 29)
        text.append(Self.weekdays[fields.weekday])
        text.append(", ")
        text.append(fields.day, 2, 0x20)
        text.append(Self.months[fields.month - 1])
        text.append(" ")
        text.append(fields.year, 4, 0x20)
        text.append(fields.hour, 2, colon)
        text.append(fields.minute, 2, colon)
        text.append(fields.second, 2, 0x20)
        text.append("GMT")
        return text.string
    }

    /// Reads `20261122T162630Z`; nil for anything else.
    package init?(iso8601Basic text: [UInt8]) {
        guard text.count == 16, text[8] == UInt8(ascii: "T"), text[15] == UInt8(ascii: "Z"),
            let year = Self.number(text[0..<4]), let month = Self.number(text[4..<6]),
            let day = Self.number(text[6..<8]), let hour = Self.number(text[9..<11]),
            let minute = Self.number(text[11..<13]), let second = Self.number(text[13..<15])
        else { return nil }
        self.init(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
    }

    /// Reads the three forms of RFC 9110 5.6.7: IMF-fixdate, RFC 850 and asctime; nil for anything else.
    package init?(httpDate bytes: [UInt8]) {
        let separators = Array(" ,-:".utf8)
        let words = bytes.split { separators.contains($0) }
        guard words.count == 8 || words.count == 7 else { return nil }
        let isASCTime = words.count == 7
        if !isASCTime {
            guard words[7].elementsEqual("GMT".utf8) || words[7].elementsEqual("UTC".utf8) else { return nil }
        }
        let order = isASCTime ? (day: 2, month: 1, year: 6, hour: 3) : (day: 1, month: 2, year: 3, hour: 4)
        guard let month = Self.months.firstIndex(where: { words[order.month].elementsEqual($0.utf8) }),
            let day = Self.number(words[order.day]), var year = Self.number(words[order.year]),
            let hour = Self.number(words[order.hour]), let minute = Self.number(words[order.hour + 1]),
            let second = Self.number(words[order.hour + 2])
        else { return nil }
        if words[order.year].count == 2 { year += year < 70 ? 2000 : 1900 }
        self.init(year: year, month: month + 1, day: day, hour: hour, minute: minute, second: second)
    }

    /// Digits only: `Int("+5")` is 5, a date field must not be.
    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        guard !digits.isEmpty, digits.count <= 4 else { return nil }
        var value = 0
        for digit in digits {
            guard (0x30...0x39).contains(digit) else { return nil }
            value = value * 10 + Int(digit - 0x30)
        }
        return value
    }
}

/// A text of numbers with leading zeros; a listing shows a thousand of them.
private struct Digits {
    private var bytes: [UInt8] = []

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    var string: String { String(decoding: bytes, as: UTF8.self) }

    mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    mutating func append(_ number: Int, _ width: Int, _ end: UInt8) {
        append(number, width)
        bytes.append(end)
    }

    mutating func append(_ number: Int, _ width: Int) {
        var unit = 1
        for _ in 1..<width { unit *= 10 }
        // Only a year can be wider than its field.
        guard number >= 0, number / 10 < unit else { return bytes.append(contentsOf: String(number).utf8) }
        while unit > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(number / unit % 10))
            unit /= 10
        }
    }
}
