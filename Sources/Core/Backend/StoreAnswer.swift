/// What stores say in XML, read with bounds and without trust.
enum StoreAnswer {
    /// A page of 1,000 keys of 1,024 bytes, each percent-encoded, with what stores add.
    static let maximumListBytes = 8 << 20
    private static let longestCode = 64

    /// Returns the S3 code of an error document, nil when there is none.
    ///
    /// Letters, digits and dots only.
    static func errorCode(_ document: [UInt8]) -> String? {
        let root: XMLElement
        do throws(S3Error) { root = try XMLReader.parse(document, root: "Error") } catch { return nil }
        guard let code = root.child("Code")?.text, (1...longestCode).contains(code.count),
            code.allSatisfy({
                (0x61...0x7A).contains(ASCII.lower($0)) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".")
            })
        else { return nil }
        return String(decoding: code, as: UTF8.self)
    }

    struct Page: Equatable {
        var entries: [BackendListEntry] = []
        var isTruncated = false
    }

    /// Reads the answer of ListObjectsV2; throws a cause.
    static func page(_ document: [UInt8]) throws(Unreadable) -> Page {
        let root: XMLElement
        do throws(S3Error) {
            root = try XMLReader.parse(document, root: "ListBucketResult", maximumBytes: maximumListBytes)
        } catch { throw Unreadable(cause: "the listing is no XML of S3") }
        let isEncoded = root.child("EncodingType")?.word == "url"
        var page = Page()
        for content in root.children("Contents") {
            guard let written = content.child("Key")?.text, let key = isEncoded ? decoded(written) : written,
                let size = content.child("Size")?.text, let sizeBytes = DecimalNumber.parse(size)
            else { throw Unreadable(cause: "an entry of the listing has no key or size") }
            page.entries.append(BackendListEntry(key: key, sizeBytes: Int64(sizeBytes)))
        }
        page.isTruncated = root.child("IsTruncated")?.word == "true"
        return page
    }

    struct Unreadable: Error { let cause: String }

    /// Percent-decoding, where `+` is a blank as AWS writes it.
    private static func decoded(_ text: [UInt8]) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            switch text[index] {
            case UInt8(ascii: "%"):
                guard index + 2 < text.count, let high = Hex.value(text[index + 1]),
                    let low = Hex.value(text[index + 2])
                else { return nil }
                bytes.append(high << 4 | low)
                index += 3
            case UInt8(ascii: "+"):
                bytes.append(0x20)
                index += 1
            default:
                bytes.append(text[index])
                index += 1
            }
        }
        return bytes
    }

    /// Reads `bytes FIRST-LAST/TOTAL` (RFC 9110 14.4); the total may be `*`.
    static func contentRange(_ value: [UInt8]) -> ClosedRange<Int64>? {
        guard value.starts(with: "bytes ".utf8) else { return nil }
        let parts = value.dropFirst(6).split(separator: UInt8(ascii: "/"))
        guard let span = parts.first, parts.count == 2 else { return nil }
        let ends = span.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false).map {
            DecimalNumber.parse(Array($0))
        }
        guard ends.count == 2, let first = ends[0], let last = ends[1], first <= last else { return nil }
        return Int64(first)...Int64(last)
    }
}
