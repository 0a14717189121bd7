/// The value of `Credential`: `AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request`.
struct CredentialScope {
    /// As sent; empty when it holds a byte that no access key id has.
    let accessKeyID: String
    /// Eight digits.
    let date: [UInt8]
    let region: [UInt8]
    let service: [UInt8]
    let terminator: [UInt8]

    static let service = Array("s3".utf8)
    static let terminator = Array("aws4_request".utf8)
    static let maximumAccessKeyIDBytes = 128
    /// What clients sign for while they do not know the region.
    static let unknownRegion = "us-east-1"

    /// Returns nil when `text` has not five parts with an eight-digit date.
    init?(parsing text: some BidirectionalCollection<UInt8>) {
        let bytes = Array(text)
        // The last four parts are found from the end, because an access key id may hold `/`.
        var ends = [bytes.count, 0, 0, 0, 0]
        var found = 0
        var index = bytes.count
        while index > 0, found < 4 {
            index -= 1
            guard bytes[index] == UInt8(ascii: "/") else { continue }
            found += 1
            ends[found] = index
        }
        guard found == 4 else { return nil }
        terminator = Array(bytes[(ends[1] + 1)...])
        service = Array(bytes[(ends[2] + 1)..<ends[1]])
        region = Array(bytes[(ends[3] + 1)..<ends[2]])
        date = Array(bytes[(ends[4] + 1)..<ends[3]])
        guard date.count == 8, date.allSatisfy(ASCII.isDigit), !region.isEmpty else { return nil }
        let id = bytes[..<ends[4]]
        let isPlain = id.count <= Self.maximumAccessKeyIDBytes && id.allSatisfy { (0x21...0x7E).contains($0) }
        accessKeyID = isPlain ? String(decoding: id, as: UTF8.self) : ""
    }

    /// `20130524/us-east-1/s3/aws4_request`.
    var bytes: [UInt8] { Self.bytes(date: date, region: region) }

    static func bytes(date: some Sequence<UInt8>, region: [UInt8], service: [UInt8] = service) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(24 + region.count + service.count)
        bytes.append(contentsOf: date)
        bytes.append(0x2F)
        bytes.append(contentsOf: region)
        bytes.append(0x2F)
        bytes.append(contentsOf: service)
        bytes.append(0x2F)
        bytes.append(contentsOf: terminator)
        return bytes
    }

    static let malformed =
        "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."

    /// Returns what is wrong with the scope, in S3's words, or nil; `requestDate` begins with the day of the request.
    func fault(region wanted: String, requestDate: [UInt8]) -> (text: String, region: String?)? {
        if !region.elementsEqual(wanted.utf8) {
            return ("the region '\(String(decoding: region, as: UTF8.self))' is wrong; expecting '\(wanted)'", wanted)
        }
        if service != Self.service {
            let text = String(decoding: service, as: UTF8.self)
            return ("incorrect service \"\(text)\". This endpoint belongs to \"s3\".", nil)
        }
        if terminator != Self.terminator {
            let text = String(decoding: terminator, as: UTF8.self)
            return ("incorrect terminal \"\(text)\". This endpoint uses \"aws4_request\".", nil)
        }
        if !date.elementsEqual(requestDate.prefix(8)) {
            let days = (String(decoding: date, as: UTF8.self), String(decoding: requestDate.prefix(8), as: UTF8.self))
            return (
                "Invalid credential date \"\(days.0)\". This date is not the same as X-Amz-Date: \"\(days.1)\".", nil
            )
        }
        return nil
    }
}
