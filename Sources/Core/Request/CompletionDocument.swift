/// The body of a CompleteMultipartUpload: which parts, in which order.
///
/// Source: Amazon S3 API Reference, CompleteMultipartUpload.
package struct CompletionDocument: Sendable, Equatable {
    package struct Item: Sendable, Equatable {
        package let number: PartNumber
        /// Without quotes.
        package let eTag: String
        package let checksums: [Claim]
    }

    /// A checksum that the client says the part has; nothing of it is verified yet.
    package struct Claim: Sendable, Equatable {
        package let algorithm: ChecksumAlgorithm
        package let base64: String
    }

    /// In rising order of number, at least one.
    package let items: [Item]

    /// 10,000 parts with a number, an ETag and a checksum.
    package static let maximumBytes = 4 << 20

    /// Throws `MalformedXML`, `InvalidPartOrder`, and `InvalidArgument` for a number that no part can have.
    package init(parsing document: [UInt8]) throws(S3Error) {
        let root = try XMLReader.parse(document, root: "CompleteMultipartUpload", maximumBytes: Self.maximumBytes)
        guard !root.children.isEmpty, root.children.allSatisfy({ $0.name == "Part" }) else {
            throw S3Error(.malformedXML)
        }
        var items: [Item] = []
        items.reserveCapacity(root.children.count)
        for part in root.children {
            let item = try Self.item(part)
            if let last = items.last, item.number <= last.number { throw S3Error(.invalidPartOrder) }
            items.append(item)
        }
        self.items = items
    }

    private static func item(_ part: XMLElement) throws(S3Error) -> Item {
        var number: PartNumber?
        var eTag: String?
        var checksums: [Claim] = []
        for child in part.children {
            switch child.name {
            case "PartNumber":
                guard DecimalNumber.parse(child.text) != nil else { throw S3Error(.malformedXML) }
                number = PartNumber(text: child.word)
                guard number != nil else {
                    throw S3Error(.invalidArgument, "PartNumber must be an integer between 1 and 10000, inclusive")
                        .detail("ArgumentName", "PartNumber").detail("ArgumentValue", child.word)
                }
            case "ETag": eTag = child.wordWithoutQuotes
            default:
                guard let algorithm = ChecksumAlgorithm.allCases.first(where: { $0.elementName == child.name }) else {
                    throw S3Error(.malformedXML)
                }
                checksums.append(Claim(algorithm: algorithm, base64: child.word))
            }
        }
        guard let number, let eTag else { throw S3Error(.malformedXML) }
        return Item(number: number, eTag: eTag, checksums: checksums)
    }
}
