/// The `Range` header of a read.
///
/// Source: RFC 9110 14.1.2 and 14.2; Amazon S3 API Reference, GetObject (one range only).
package enum ByteRange {
    /// Returns the inclusive offsets to send, or nil for the whole object.
    ///
    /// A header that is not one well-formed `bytes` range is ignored, as RFC 9110 14.2 says and AWS does; several ranges
    /// are answered with the whole object. Throws `InvalidRange` when the range lies beyond the object's end.
    package static func resolve(_ header: [UInt8]?, sizeBytes: Int64) throws(S3Error) -> ClosedRange<Int64>? {
        guard let header, let bounds = parse(header) else { return nil }
        switch bounds {
        case (nil, let suffix?):
            guard suffix > 0, sizeBytes > 0 else { throw unsatisfiable(header, sizeBytes) }
            return max(0, sizeBytes - suffix)...(sizeBytes - 1)
        case (let first?, let last):
            guard first < sizeBytes else { throw unsatisfiable(header, sizeBytes) }
            return first...min(last ?? Int64.max, sizeBytes - 1)
        case (nil, nil): return nil
        }
    }

    private static func unsatisfiable(_ header: [UInt8], _ sizeBytes: Int64) -> S3Error {
        S3Error(.invalidRange)
            .detail("RangeRequested", String(decoding: header, as: UTF8.self))
            .detail("ActualObjectSize", String(sizeBytes))
            .header("Content-Range", "bytes */\(sizeBytes)")
    }

    /// Reads `bytes=first-last`, `bytes=first-` or `bytes=-suffix`; nil for anything else.
    private static func parse(_ header: [UInt8]) -> (first: Int64?, last: Int64?)? {
        let unit = Array("bytes=".utf8)
        guard header.count > unit.count, zip(header, unit).allSatisfy({ $0 | 0x20 == $1 | 0x20 }) else { return nil }
        let spec = header[unit.count...].filter { $0 != 0x20 && $0 != 0x09 }
        guard let dash = spec.firstIndex(of: UInt8(ascii: "-")) else { return nil }
        let (left, right) = (spec[..<dash], spec[(dash + 1)...])
        if left.isEmpty {
            guard let suffix = number(right) else { return nil }
            return (nil, suffix)
        }
        guard let first = number(left) else { return nil }
        if right.isEmpty { return (first, nil) }
        guard let last = number(right), last >= first else { return nil }
        return (first, last)
    }

    private static let mostDigits = 18

    /// Digits only; more than 18 of them are beyond every object and read as the largest number.
    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        guard !digits.isEmpty, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        guard digits.count <= mostDigits else { return Int64.max }
        return digits.reduce(0) { $0 * 10 + Int64($1 - 0x30) }
    }
}
