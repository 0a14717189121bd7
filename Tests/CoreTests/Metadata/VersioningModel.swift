import Core

/// S3's versioning rules as a list of versions, newest first, for each key: nothing clever, nothing shared with the
/// product.
struct VersioningModel {
    struct Version: Equatable {
        /// What the client calls it.
        var name: String
        var isMarker: Bool
        /// Tells contents apart; 0 for a marker.
        var size: Int64
    }

    enum State { case unversioned, enabled, suspended }

    var state = State.unversioned
    private(set) var keys: [String: [Version]] = [:]

    /// What a GET without a version id finds.
    func current(_ key: String) -> Version? { keys[key]?.first.flatMap { $0.isMarker ? nil : $0 } }

    /// `name` is what a write of an enabled bucket is called.
    mutating func put(_ key: String, size: Int64, name: String) {
        add(key, Version(name: name, isMarker: false, size: size))
    }

    mutating func delete(_ key: String, name: String) {
        guard state != .unversioned else {
            keys[key] = nil
            return
        }
        add(key, Version(name: name, isMarker: true, size: 0))
    }

    mutating func delete(_ key: String, version: String) {
        keys[key]?.removeAll { $0.name == version }
        if keys[key]?.isEmpty == true { keys[key] = nil }
    }

    private mutating func add(_ key: String, _ version: Version) {
        var version = version
        var versions = keys[key] ?? []
        if state != .enabled {
            version.name = "null"
            versions.removeAll { $0.name == "null" }
        }
        keys[key] = [version] + versions
    }

    /// Every version in the order of a listing, as words.
    var listing: [String] {
        keys.sorted { Array($0.key.utf8).lexicographicallyPrecedes(Array($1.key.utf8)) }.flatMap { key, versions in
            versions.enumerated().map { index, version in
                "\(key) \(version.name) \(version.isMarker ? "marker" : "\(version.size)")\(index == 0 ? " latest" : "")"
            }
        }
    }
}
