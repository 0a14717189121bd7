/// One field of a form, but for the file: its name in lower case, and its bytes as sent.
package struct FormField: Sendable, Hashable {
    package let name: [UInt8]
    package var value: [UInt8]

    package init(name: [UInt8], value: [UInt8]) {
        self.name = name
        self.value = value
    }
}

/// Where the file of a form stands in the body.
package struct FormFile: Sendable, Hashable {
    /// What the client calls it; empty when it does not say.
    package let name: [UInt8]
    /// Where the content begins, in bytes from the start of the body.
    package let offset: Int64
    /// Nil until the end of the content was seen.
    package internal(set) var sizeBytes: Int64?
}

/// What the head of one part says: `Content-Disposition: form-data; name="key"` and what else stands there.
struct FormPartHead {
    private var disposition: HeaderParameters?

    /// In lower case.
    var name: [UInt8]? { disposition?["name"] }
    var fileName: [UInt8]? { disposition?["filename"] }

    private static let identityEncodings = ["binary", "7bit", "8bit"]

    /// Takes one line, without CR LF.
    ///
    /// Throws `MalformedPOSTRequest`, and `NotImplemented` for content that is sent in another encoding than its own.
    mutating func take(_ line: [UInt8]) throws(S3Error) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0, line[0] != 0x20, line[0] != 0x09 else {
            throw S3Error(.malformedPOSTRequest)
        }
        let name = line[..<colon].map(ASCII.lower)
        let value = line[(colon + 1)...].drop { $0 == 0x20 || $0 == 0x09 }
        if name.elementsEqual("content-disposition".utf8) {
            guard disposition == nil, let read = HeaderParameters(parsing: value),
                read.word.elementsEqual("form-data".utf8)
            else { throw S3Error(.malformedPOSTRequest) }
            disposition = read
        } else if name.elementsEqual("content-transfer-encoding".utf8) {
            // RFC 7578 4.7: deprecated; storing the encoded bytes would be storing other ones.
            let encoding = String(decoding: value.map(ASCII.lower), as: UTF8.self)
            guard Self.identityEncodings.contains(encoding) else {
                throw S3Error.unimplemented(.header, "Content-Transfer-Encoding")
            }
        }
    }
}
