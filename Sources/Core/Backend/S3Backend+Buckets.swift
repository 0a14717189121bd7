/// Buckets of an S3 store.
extension S3Backend {
    package func hasBucket(_ bucket: String) throws(BackendError) -> Bool {
        do throws(BackendError) {
            _ = try send(StoreCall(method: .head, bucket: bucket))
            return true
        } catch {
            guard error.kind == .missing else { throw error }
            return false
        }
    }

    /// Makes the bucket.
    ///
    /// Looks first, because several stores answer 200 to the creation of a bucket that we have already.
    package func createBucket(_ bucket: String) throws(BackendError) -> BucketCreation {
        if try isOurs(bucket) { return .ownedByUs }
        let creation = try createUnseen(bucket)
        // Several stores say of our own bucket, too, that it exists: another process may have made it since we looked.
        guard creation == .taken, try isOurs(bucket) else { return creation }
        return .ownedByUs
    }

    /// Whether the bucket is there and takes our credentials.
    private func isOurs(_ bucket: String) throws(BackendError) -> Bool {
        do throws(BackendError) { return try hasBucket(bucket) } catch {
            // 403 may mean somebody else's bucket, or bad credentials: the PUT tells which.
            guard error.kind == .refused else { throw error }
            return false
        }
    }

    private func createUnseen(_ bucket: String) throws(BackendError) -> BucketCreation {
        // us-east-1 is spelled by saying nothing (CreateBucket, LocationConstraint).
        let constraint = record.signingRegion == "us-east-1" ? nil : record.signingRegion
        let answer = try create(bucket, constraint: constraint)
        guard let code = answer.code, constraint != nil, Self.constraintCodes.contains(code) else {
            return try creation(answer)
        }
        // A store with other names for its regions: it has one place, the endpoint's.
        return try creation(try create(bucket, constraint: nil))
    }

    private static let constraintCodes = [
        "IllegalLocationConstraintException", "InvalidLocationConstraint", "InvalidArgument", "MalformedXML",
    ]

    private struct CreationAnswer {
        let call: StoreCall
        let head: TransferHead
        let body: [UInt8]
        var code: String? { StoreAnswer.errorCode(body) }
    }

    private func create(_ bucket: String, constraint: String?) throws(BackendError) -> CreationAnswer {
        var body: [UInt8] = []
        if let constraint {
            var writer = XMLWriter()
            writer.openRoot("CreateBucketConfiguration")
            writer.element("LocationConstraint", constraint)
            writer.close("CreateBucketConfiguration")
            body = writer.bytes
        }
        var call = StoreCall(method: .put, bucket: bucket)
        call.bodySizeBytes = Int64(body.count)
        call.payloadHash = Hex.text(Crypto.sha256(body))
        if !body.isEmpty { call.headers = [("content-type", "application/xml")] }
        let exchange = client.exchange()
        exchange.send(body)
        return CreationAnswer(call: call, head: try send(call, exchange), body: exchange.errorBody)
    }

    private func creation(_ answer: CreationAnswer) throws(BackendError) -> BucketCreation {
        if answer.head.isSuccess { return .created }
        switch answer.code {
        case "BucketAlreadyOwnedByYou": return .ownedByUs
        case "BucketAlreadyExists": return .taken
        default: throw refusal(answer.call, answer.head, answer.body)
        }
    }

    package func deleteBucket(_ bucket: String) throws(BackendError) {
        do throws(BackendError) { _ = try send(StoreCall(method: .delete, bucket: bucket)) } catch {
            guard error.kind == .missing else { throw error }
        }
    }

    /// What one request may ask for (ListBuckets, max-buckets), and how many pages are read at most.
    private static let largestBucketPage = 1000
    private static let maximumBucketPages = 1000

    package func listBuckets() throws(BackendError) -> [String] {
        var names: [String] = []
        var token: [UInt8]?
        for _ in 0..<Self.maximumBucketPages {
            var call = StoreCall(method: .get)
            // Stores without pages take no notice, and answer all.
            call.query = [("max-buckets", Array("\(Self.largestBucketPage)".utf8))]
            if let token { call.query.insert(("continuation-token", token), at: 0) }
            let document = try listing(call)
            let page: StoreAnswer.BucketPage
            do throws(StoreAnswer.Unreadable) { page = try StoreAnswer.buckets(document) } catch {
                throw failure(.unavailable, error.cause)
            }
            names += page.names
            guard let next = page.continuationToken, next != token else { return names }
            token = next
        }
        throw failure(.refused, "the store has too many buckets to list")
    }

    // MARK: Listing

    /// What one request may ask for (ListObjectsV2, max-keys).
    private static let largestPage = 1000

    package func list(_ bucket: String, after: [UInt8]?, limit: Int) throws(BackendError) -> [BackendListEntry] {
        var entries: [BackendListEntry] = []
        var marker = after
        while entries.count < limit {
            let page = try page(bucket, after: marker, limit: min(limit - entries.count, Self.largestPage))
            for entry in page.entries {
                if let marker, !marker.lexicographicallyPrecedes(entry.key) {
                    throw failure(.refused, "the store does not list in the order of keys")
                }
                marker = entry.key
            }
            entries.append(contentsOf: page.entries.prefix(limit - entries.count))
            guard page.isTruncated else { break }
            guard !page.entries.isEmpty else { throw failure(.refused, "a listing goes on without an entry") }
        }
        return entries
    }

    private func page(_ bucket: String, after: [UInt8]?, limit: Int) throws(BackendError) -> StoreAnswer.Page {
        var call = StoreCall(method: .get, bucket: bucket)
        call.query = [
            ("encoding-type", Array("url".utf8)), ("list-type", [0x32]), ("max-keys", Array("\(limit)".utf8)),
        ]
        if let after { call.query.append(("start-after", after)) }
        let document = try listing(call)
        do throws(StoreAnswer.Unreadable) { return try StoreAnswer.page(document) } catch {
            throw failure(.unavailable, error.cause)
        }
    }

    private func listing(_ call: StoreCall) throws(BackendError) -> [UInt8] {
        let exchange = client.exchange()
        var document: [UInt8] = []
        unsafe exchange.acceptBody = { piece in
            guard document.count + piece.count <= StoreAnswer.maximumListBytes else { return false }
            unsafe document.append(contentsOf: piece)
            return true
        }
        let head: TransferHead
        do throws(BackendError) { head = try send(call, exchange) } catch {
            throw error.kind == .stopped ? failure(.unavailable, "the listing has no end") : error
        }
        guard head.isSuccess else { throw refusal(call, head, exchange.errorBody) }
        return document
    }
}
