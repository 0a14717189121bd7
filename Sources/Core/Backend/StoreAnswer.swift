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

    /// Returns the ETag of a CopyObjectResult without quotes, nil when there is none.
    static func copyETag(_ document: [UInt8]) -> String? {
        let root: XMLElement
        do throws(S3Error) { root = try XMLReader.parse(document, root: "CopyObjectResult") } catch { return nil }
        return root.child("ETag").map(\.wordWithoutQuotes)
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

    struct BucketPage: Equatable {
        var names: [String] = []
        var continuationToken: [UInt8]?
    }

    /// Reads the answer of ListBuckets; throws a cause.
    static func buckets(_ document: [UInt8]) throws(Unreadable) -> BucketPage {
        let root: XMLElement
        do throws(S3Error) {
            root = try XMLReader.parse(document, root: "ListAllMyBucketsResult", maximumBytes: maximumListBytes)
        } catch { throw Unreadable(cause: "the list of buckets is no XML of S3") }
        let names = root.child("Buckets")?.children("Bucket").compactMap { $0.child("Name")?.word } ?? []
        let token = root.child("ContinuationToken")?.text
        return BucketPage(names: names, continuationToken: token.flatMap { $0.isEmpty ? nil : $0 })
    }

    struct Unreadable: Error { let cause: String }

    // MARK: Multipart

    /// Codes in an error document under 200 that a later try may not meet.
    static let transientCodes: Set<String> = ["InternalError", "SlowDown", "ServiceUnavailable", "RequestTimeout"]
    private static let longestWord = 1024

    /// Tells whether a store's word can be kept and sent back: printable ASCII without quotes.
    static func isWord(_ word: String) -> Bool {
        (1...longestWord).contains(word.utf8.count)
            && word.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\"") }
    }

    /// Reads the answer of CreateMultipartUpload; nil when it has no id that can be used.
    static func uploadID(_ document: [UInt8]) -> String? {
        word("UploadId", in: document, root: "InitiateMultipartUploadResult")
            // rclone 1.75.
            ?? word("UploadId", in: document, root: "InitiateMultipartUpload")
    }

    /// Reads the answer of CompleteMultipartUpload; without quotes, nil when it names none.
    static func completedETag(_ document: [UInt8]) -> String? {
        word("ETag", in: document, root: "CompleteMultipartUploadResult")
    }

    private static func word(_ name: String, in document: [UInt8], root: String) -> String? {
        let element: XMLElement
        do throws(S3Error) { element = try XMLReader.parse(document, root: root) } catch { return nil }
        guard let word = element.child(name)?.wordWithoutQuotes, isWord(word) else { return nil }
        return word
    }

    /// Reads the answer of ListMultipartUploads; returns the ids of uploads of exactly `key`.
    static func uploads(_ document: [UInt8], of key: [UInt8]) throws(Unreadable) -> [String] {
        let root: XMLElement
        do throws(S3Error) {
            root = try XMLReader.parse(document, root: "ListMultipartUploadsResult", maximumBytes: maximumListBytes)
        } catch { throw Unreadable(cause: "the listing of uploads is no XML of S3") }
        let isEncoded = root.child("EncodingType")?.word == "url"
        return root.children("Upload").compactMap { upload in
            // Some stores say that they encode and do not: both forms of a key of ours can only mean that key.
            guard let written = upload.child("Key")?.text, written == key || (isEncoded && decoded(written) == key),
                let id = upload.child("UploadId")?.word, isWord(id)
            else { return nil }
            return id
        }
    }

    /// Reads the answer of ListMultipartUploads; returns all uploads that it names.
    static func uploads(_ document: [UInt8]) throws(Unreadable) -> [BackendUpload] {
        let root: XMLElement
        do throws(S3Error) {
            root = try XMLReader.parse(document, root: "ListMultipartUploadsResult", maximumBytes: maximumListBytes)
        } catch { throw Unreadable(cause: "the listing of uploads is no XML of S3") }
        let isEncoded = root.child("EncodingType")?.word == "url"
        return root.children("Upload").compactMap { upload in
            // Some stores say that they encode and do not: keys of ours hold no `%` and no `+`.
            guard let written = upload.child("Key")?.text, let id = upload.child("UploadId")?.word, isWord(id) else {
                return nil
            }
            return BackendUpload(key: isEncoded ? decoded(written) ?? written : written, uploadID: id)
        }
    }

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
    static func contentRange(_ value: [UInt8]) -> (range: ClosedRange<Int64>, total: Int64?)? {
        guard value.starts(with: "bytes ".utf8) else { return nil }
        let parts = value.dropFirst(6).split(separator: UInt8(ascii: "/"))
        guard let span = parts.first, let total = parts.last, parts.count == 2 else { return nil }
        let ends = span.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false).map {
            DecimalNumber.parse(Array($0))
        }
        guard ends.count == 2, let first = ends[0], let last = ends[1], first <= last else { return nil }
        return (Int64(first)...Int64(last), DecimalNumber.parse(Array(total)).map(Int64.init))
    }
}
