/// The bytes of a new version, on their way to several backends at once.
protocol ObjectContent: Sendable {
    /// MD5 of the content, 16 bytes, when it is known beforehand.
    var md5: [UInt8]? { get }

    /// Stores the content whole under a fresh key of one backend.
    ///
    /// Throws `.stopped` when the content itself cannot be had: no other backend would fare better.
    func store(
        as object: PhysicalObject, on live: LiveBackend, description: ObjectDescription, grant: PlacementGrant
    ) throws(BackendError) -> PutReceipt
}

extension ObjectContent {
    /// Sends what `makeReader` reads.
    func send(
        _ makeReader: () throws(S3Error) -> PayloadReader, as object: PhysicalObject, on live: LiveBackend,
        description: ObjectDescription, grant: PlacementGrant
    ) throws(BackendError) -> PutReceipt {
        let source: PayloadReader
        do throws(S3Error) { source = try makeReader() } catch {
            throw BackendError(noContent: error, for: live.name)
        }
        var receipt = try live.observe { backend throws(BackendError) in
            try backend.put(object, from: source, description: description, grant: grant)
        }
        receipt.checksum = source.checksum
        return receipt
    }
}

extension VerifiedPayload: ObjectContent {
    func store(
        as object: PhysicalObject, on live: LiveBackend, description: ObjectDescription, grant: PlacementGrant
    ) throws(BackendError) -> PutReceipt {
        let missing = checksum == nil ? ChecksumAlgorithm.unnamed : nil
        return try send(
            { () throws(S3Error) in try makeReader(computing: missing) }, as: object, on: live,
            description: description,
            grant: grant)
    }
}
