private import Glibc

extension Configuration {
    /// Looks at the files and directories the configuration names; empty when a process could start with it.
    ///
    /// The database itself may be missing (`s3gw init` makes it); its directory may not.
    package func problemsOnDisk() -> [ConfigurationError.Problem] {
        var problems: [ConfigurationError.Problem] = []
        requireDirectory(Self.parent(of: databasePath), "database", &problems)
        requireDirectory(spoolDirectory, "spool-directory", &problems)
        if let logFile { requireDirectory(Self.parent(of: logFile), "log-file", &problems) }
        if let pidFile { requireDirectory(Self.parent(of: pidFile), "pid-file", &problems) }
        return problems
    }

    private func requireDirectory(_ path: String, _ name: String, _ problems: inout [ConfigurationError.Problem]) {
        let origin = settings.first { $0.key.name == name }?.origin ?? name
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            problems.append(
                .init(at: origin, "\(name): the directory \(path) is missing; make it: \(SystemError.text(errno))"))
            return
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            problems.append(.init(at: origin, "\(name): \(path) is not a directory"))
            return
        }
        guard unsafe access(path, W_OK | X_OK) == 0 else {
            problems.append(.init(at: origin, "\(name): this user cannot write in \(path): \(SystemError.text(errno))"))
            return
        }
    }

    private static func parent(of path: String) -> String {
        let bytes = Array(path.utf8)
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")), slash > 0 else { return "/" }
        return String(decoding: bytes[..<slash], as: UTF8.self)
    }
}
