import Core
import Foundation

/// A real S3 server of another make, which checks signatures: `rclone serve s3` on a directory of its own.
final class RcloneServer {
    static let accessKeyID = "AKIAEXAMPLE"
    static let secret = Array("a+secret/key".utf8)

    let endpoint: String
    /// The certificate it serves with, which signs itself and is good for 127.0.0.1 only.
    let certificate: String
    private let process: Process
    private let directory: Scratch
    private let keys: Scratch

    struct NotStarted: Error, CustomStringConvertible {
        let description: String
    }

    /// Throws when there is no rclone: `scripts/install --tests` brings it.
    init(isHTTPS: Bool = false) throws {
        directory = try Scratch()
        keys = try Scratch()
        certificate = keys.path + "/cert.pem"
        let port = try FreePort.find()
        endpoint = "\(isHTTPS ? "https" : "http")://127.0.0.1:\(port)"
        process = Process()
        process.executableURL = URL(filePath: try Self.program())
        process.arguments = [
            "serve", "s3", directory.path, "--addr", "127.0.0.1:\(port)", "--auth-key",
            "\(Self.accessKeyID),\(String(decoding: Self.secret, as: UTF8.self))", "--config", "/dev/null",
        ]
        if isHTTPS {
            try Self.makeCertificate(in: keys.path)
            process.arguments?.append(contentsOf: ["--cert", certificate, "--key", keys.path + "/key.pem"])
        }
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        for _ in 0..<200 where process.isRunning {
            if FreePort.isListening(port) { return }
            usleep(50_000)
        }
        throw NotStarted(description: "rclone does not listen on \(endpoint)")
    }

    deinit {
        guard process.isRunning else { return }
        process.terminate()
        process.waitUntilExit()
    }

    func backend(secret: [UInt8] = RcloneServer.secret, signingRegion: String = "us-east-1") throws -> S3Backend {
        try S3Backend(
            BackendScenario.record(
                .s3, endpoint: endpoint, accessKeyID: Self.accessKeyID, signingRegion: signingRegion),
            secret: secret)
    }

    /// The buckets on its disk.
    func buckets() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: directory.path) }

    private static func makeCertificate(in directory: String) throws {
        let openssl = Process()
        openssl.executableURL = URL(filePath: "/usr/bin/env")
        openssl.arguments = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", directory + "/key.pem", "-out",
            directory + "/cert.pem",
        ]
        openssl.standardError = FileHandle.nullDevice
        try openssl.run()
        openssl.waitUntilExit()
        guard openssl.terminationStatus == 0 else { throw NotStarted(description: "openssl makes no certificate") }
    }

    private static func program() throws -> String {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let folders = [SourceTree.root + "/.venv/bin"] + path.split(separator: ":").map(String.init)
        let programs = folders.map { $0 + "/rclone" }
        guard let program = programs.first(where: FileManager.default.isExecutableFile(atPath:)) else {
            throw NotStarted(description: "no rclone in .venv/bin or PATH: run scripts/install --tests")
        }
        return program
    }
}

/// Ports of the loopback interface.
enum FreePort {
    struct None: Error {}

    static func find() throws -> UInt16 {
        let (socket, port) = try listen()
        close(socket)
        return port
    }

    /// A socket that listens on a free port.
    static func listen() throws -> (socket: Int32, port: UInt16) {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isDone = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                unsafe bind(number, generic, length) == 0 && Glibc.listen(number, 64) == 0
                    && getsockname(number, generic, &length) == 0
            }
        }
        guard isDone else { throw None() }
        return (number, UInt16(bigEndian: address.sin_port))
    }

    static func isListening(_ port: UInt16) -> Bool {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(number) }
        var address = loopback(port: port)
        return unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                unsafe connect(number, generic, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    private static func loopback(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}
