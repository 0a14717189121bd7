/// What a store knows of an object that we did not write, and that clients have to find again behind the gateway.
package struct AdoptableObject: Sendable, Equatable {
    package var sizeBytes: Int64
    /// Without quotes; nil when the store gave none that may be kept.
    package var eTag: String?
    /// Whether that is the MD5 of the content, as far as the store lets one know.
    package var isMD5: Bool
    package var lastModified: Timestamp?
    /// `content-type` and the like, and `x-amz-meta-*`; names in lower case.
    package var headers: [HeaderField]
    /// Whether the store says that it keeps tags with it.
    package var hasTags: Bool
    /// The description that a gateway has stored with it, if one did: names beginning with `s3gw-`.
    package var description: [HeaderField]

    /// The headers a client may set and gets back (PutObject).
    static let kept: Set<String> = [
        "content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires",
    ]
    static let metadataPrefix = "x-amz-meta-"
    static let tagCountHeader = "x-amz-tagging-count"

    /// A value of the description, decoded; nil when there is none.
    package func described(_ name: String) -> [UInt8]? {
        description.first { $0.name == name }.flatMap { Self.decoded($0.value) }
    }

    private static func decoded(_ value: [UInt8]) -> [UInt8]? {
        do throws(S3Error) { return try RequestTarget.percentDecoded(value[...], plusIsSpace: false) } catch {
            return nil
        }
    }

    /// The headers that a gateway described, in place of those of the store.
    package var describedHeaders: [HeaderField] {
        description.compactMap { field in
            guard field.name.hasPrefix("s3gw-h-"), let value = Self.decoded(field.value),
                let colon = value.firstIndex(of: UInt8(ascii: ":"))
            else { return nil }
            return HeaderField(
                name: String(decoding: value[..<colon], as: UTF8.self), value: Array(value[(colon + 1)...]))
        }
    }
}

extension S3Backend {
    package func describe(_ object: PhysicalObject) throws(BackendError) -> AdoptableObject? {
        let call = StoreCall(method: .head, bucket: object.bucket, key: object.key)
        let exchange = client.exchange()
        var lines: [HeaderField] = []
        unsafe exchange.watchHeader = { line in
            if let field = unsafe Self.field(line) { lines.append(field) }
        }
        let head = try send(call, exchange)
        guard head.isSuccess else {
            let refusal = refusal(call, head, exchange.errorBody)
            if refusal.kind == .missing { return nil }
            throw refusal
        }
        guard let size = head["content-length"].flatMap(DecimalNumber.parse) else {
            throw failure(.damaged, "the answer does not say how long the object is")
        }
        let eTag = head.eTag.flatMap { StoreAnswer.isWord($0) ? $0 : nil }
        let digest = eTag.flatMap { Hex.decode($0.utf8) }
        return AdoptableObject(
            sizeBytes: Int64(size), eTag: eTag, isMD5: digest?.count == 16 && !isEncrypted(head),
            lastModified: lines.last { $0.name == "last-modified" }.flatMap { Timestamp(httpDate: $0.value) },
            headers: lines.filter {
                AdoptableObject.kept.contains($0.name)
                    || ($0.name.hasPrefix(AdoptableObject.metadataPrefix) && $0.name != ObjectDescription.packedHeader)
            }, hasTags: lines.contains { $0.name == AdoptableObject.tagCountHeader && $0.value != [UInt8(ascii: "0")] },
            description: head.metadata)
    }

    package func tags(of object: PhysicalObject) throws(BackendError) -> [Tag] {
        let call = StoreCall(method: .get, bucket: object.bucket, key: object.key, query: [("tagging", [])])
        let document: [UInt8]
        do throws(BackendError) { (_, document) = try exchangeDocument(call, body: []) } catch {
            // Some stores answer 404 NoSuchTagSet where others have an empty document.
            guard error.kind == .missing, try head(object) != nil else { throw error }
            return []
        }
        do throws(S3Error) { return try TaggingDocument(ofObjectInStore: document).tags } catch {
            throw failure(.refused, "the tags of an object are not what S3 says: \(error.message)")
        }
    }

    /// A header line as a name in lower case and its value; nil for anything else.
    private static func field(_ line: UnsafeRawBufferPointer) -> HeaderField? {
        guard let colon = unsafe line.firstIndex(of: UInt8(ascii: ":")), colon > 0 else { return nil }
        var value = unsafe Array(line[(colon + 1)...].drop { $0 == 0x20 || $0 == 0x09 })
        while let last = value.last, last == 0x20 || last == 0x09 { value.removeLast() }
        guard value.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { return nil }
        return HeaderField(name: String(decoding: unsafe line[..<colon].map(ASCII.lower), as: UTF8.self), value: value)
    }
}

extension FileBackend {
    package func describe(_ object: PhysicalObject) throws(BackendError) -> AdoptableObject? {
        guard let found = try head(object) else { return nil }
        return AdoptableObject(
            sizeBytes: found.sizeBytes, eTag: found.eTag, isMD5: true, lastModified: nil, headers: [],
            hasTags: false, description: found.metadata)
    }

    /// A directory keeps none.
    package func tags(of object: PhysicalObject) throws(BackendError) -> [Tag] { [] }
}
