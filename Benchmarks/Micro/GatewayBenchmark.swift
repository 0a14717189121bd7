import Core

/// Whole requests inside the gateway, from the request model to the last byte of the answer, without nginx or FastCGI.
struct GatewayBenchmark {
    private let data: BenchmarkDatabase
    private let gateway: Gateway
    private let client = SigningClient()

    private static let smallBytes = 4096

    /// Adds a key of the tenant and a master key in `directory` to the database.
    init(data: BenchmarkDatabase, directory: String) throws {
        self.data = data
        let keyFile = directory + "/master.key"
        try MasterKeys.generateFile(at: keyFile)
        let masterKeys = try MasterKeys(contentsOfFile: keyFile)
        let credential = SigningClient.credential
        try data.database.write { sql throws(S3Error) in
            let namespaceKey = masterKeys.seal(
                Crypto.randomBytes(32), table: World.installationTable, row: World.namespaceKeyName)
            try sql.setInstallationValue(World.namespaceKeyName, namespaceKey)
            let secret = masterKeys.seal(credential.secret, table: "access_keys", row: credential.accessKeyID)
            try sql.insertAccessKey(
                AccessKey(
                    id: credential.accessKeyID, tenantID: data.tenant.id, sealedSecret: secret, isActive: true,
                    createdAt: .now()))
        }
        gateway = Gateway(world: try World(database: data.database, masterKeys: masterKeys, spoolDirectory: "/tmp"))
    }

    func run() throws -> [Measurement] {
        let middle = String(decoding: data.key(data.keyCount / 2).bytes, as: UTF8.self)
        let lists = [
            try list("a page of 1,000", "list-type=2&start-after=\(encoded(middle))", least: 200_000),
            try list("delimiter, one prefix", "delimiter=%2F&list-type=2", least: 300),
            try list("delimiter, many prefixes", "delimiter=%2F&list-type=2&prefix=read%2F", least: 5_000),
        ]
        let versions = try others("versions", "ListObjectVersions", versionMarker)
        let uploads = try others("uploads", "ListMultipartUploads", uploadMarker)
        return lists + versions + uploads + [try get(), try refusal()]
    }

    /// The middle of the versions of a key that stands in the middle.
    private var versionMarker: String {
        let half = data.keyCount / 2
        let number = half + BenchmarkDatabase.keysBelowPrefix / 2
        let prefix = data.key(half).bytes.split(separator: UInt8(ascii: "/"))[1]
        let key = "versions/key-\(String(decoding: prefix, as: UTF8.self))"
        return "key-marker=\(encoded(key))&version-id-marker=\(data.versionID(number)?.description ?? "")"
    }

    private var uploadMarker: String {
        let key = String(decoding: data.key(data.keyCount / 2).bytes.dropFirst("read".utf8.count), as: UTF8.self)
        return "key-marker=\(encoded("uploads\(key)"))"
    }

    /// Another listing, of the bucket that is called like its sub-resource: a page of 1,000 from `marker` on, and all
    /// there is as one common prefix.
    private func others(_ bucket: String, _ operation: String, _ marker: String) throws -> [Measurement] {
        let page = try client.presigned(path: "/\(bucket)", query: "\(marker)&\(bucket)=")
        let rolled = try client.presigned(path: "/\(bucket)", query: "delimiter=%2F&\(bucket)=")
        return [(page, "a page of 1,000", 200_000), (rolled, "delimiter, one prefix", 300)].map {
            request, name, least in
            Measurement("\(operation), \(data.keyCount) rows, \(name)") {
                let wire = serve(request)
                require(wire.status == 200 && wire.bodyBytes >= least, "\(wire.status), \(wire.bodyBytes) bytes")
            }
        }
    }

    private func list(_ name: String, _ query: String, least: Int) throws -> Measurement {
        let request = try client.presigned(path: "/bench", query: query)
        return Measurement("ListObjectsV2, \(data.keyCount) keys, \(name)") {
            let wire = serve(request)
            require(wire.status == 200 && wire.bodyBytes >= least, "\(wire.status), \(wire.bodyBytes) bytes")
        }
    }

    /// A GET of 4 KiB from a local directory.
    private func get() throws -> Measurement {
        let hash = String(
            decoding: Hex.encode(Crypto.sha256([UInt8](repeating: 7, count: Self.smallBytes))), as: UTF8.self)
        let put = try client.signedInHeader(
            "PUT", path: "/bench/object", payloadHash: hash,
            body: .memory([UInt8](repeating: 7, count: Self.smallBytes)))
        require(serve(put).status == 200, "the object is put")
        let request = try client.presigned(path: "/bench/object")
        return Measurement("GetObject, 4 KiB, file backend") {
            let wire = serve(request)
            require(wire.status == 200 && wire.bodyBytes == Self.smallBytes, "\(wire.status), \(wire.bodyBytes) bytes")
        }
    }

    private func refusal() throws -> Measurement {
        let request = try client.presigned(path: "/bench/nothing")
        return Measurement("GetObject, 404") { require(serve(request).status == 404, "there is no such key") }
    }

    private func serve(_ request: HTTPRequest) -> CountingWire {
        var wire = CountingWire()
        gateway.serve(request, on: &wire)
        return wire
    }

    private func encoded(_ text: String) -> String {
        String(decoding: URIEncoding.encode(text.utf8, keepingSlash: false), as: UTF8.self)
    }
}

/// Takes an answer and keeps only its status and size.
private struct CountingWire: Wire {
    var status = 0
    var bodyBytes = 0

    mutating func send(_ head: ResponseHead) throws(WireClosed) { status = head.status }
    mutating func send(body piece: UnsafeRawBufferPointer) throws(WireClosed) { bodyBytes += piece.count }
}
