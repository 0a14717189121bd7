/// Copies that the store makes by itself.
///
/// Source: Amazon S3 API Reference, CopyObject: an answer may be 200 and still hold an error document.
extension S3Backend {
    package func copy(
        _ source: PhysicalObject, to object: PhysicalObject, description: ObjectDescription, grant: PlacementGrant
    ) throws(BackendError) -> PutReceipt {
        guard grant.backendID == record.id else { throw failure(.refused, "placement granted another backend") }
        if let name = description.unstorableField { throw failure(.refused, "metadata cannot be stored: \(name)") }
        guard let md5 = description.md5 else { throw failure(.refused, "a copy needs the MD5 of its content") }
        var call = StoreCall(method: .put, bucket: object.bucket, key: object.key)
        call.duration = .long
        let path = Array("/\(source.bucket)/".utf8) + URIEncoding.encode(source.key, keepingSlash: true)
        call.headers = [
            ("x-amz-copy-source", String(decoding: path, as: UTF8.self)), ("x-amz-metadata-directive", "REPLACE"),
        ]
        call.headers += description.packed
        do throws(BackendError) {
            try send(copy: call, md5: md5)
        } catch {
            // The answer was lost, or says nothing certain: the key is ours alone, so what lies there is the answer.
            guard error.kind == .unavailable, try holds(object, description) else { throw error }
        }
        return PutReceipt(md5: md5)
    }

    /// Returns when the store says that it has bytes of this MD5 now.
    ///
    /// Throws `.unavailable` when it does not say so clearly.
    private func send(copy call: StoreCall, md5: [UInt8]) throws(BackendError) {
        let (_, document) = try exchangeDocument(call, body: [])
        guard let eTag = StoreAnswer.copyETag(document), Hex.decode(eTag.utf8) == md5 else {
            throw failure(.unavailable, "a copy was answered without the ETag of its content")
        }
    }

    /// Tells whether the object is there with the size and all the words of `description`.
    private func holds(_ object: PhysicalObject, _ description: ObjectDescription) throws(BackendError) -> Bool {
        guard let found = try head(object), found.sizeBytes == description.sizeBytes else { return false }
        return description.metadata.allSatisfy { found.metadata.contains($0) }
    }
}
