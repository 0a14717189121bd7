import Core
import Foundation

/// Secrets come from a file, from standard input or from the environment, never from the command line, where everybody
/// on the machine can read them.
enum SecretInput {
    static let sizes = 8...1024
    /// More than this is not read.
    private static let maximumBytes = 64 * 1024

    /// Returns the secret of `file` (`-` is standard input), else of the environment variable.
    ///
    /// One line end is cut off.
    static func read(file: String?, variable: String) throws(Outcome) -> [UInt8] {
        let (bytes, origin) = try found(file: file, variable: variable)
        var secret = bytes
        if secret.last == 0x0A { secret.removeLast() }
        if secret.last == 0x0D { secret.removeLast() }
        guard sizes.contains(secret.count), secret.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            let range = "\(sizes.lowerBound) to \(sizes.upperBound)"
            throw .usage("The secret in \(origin) should be \(range) printable characters.")
        }
        return secret
    }

    private static func found(file: String?, variable: String) throws(Outcome) -> ([UInt8], String) {
        if let file { return (try contents(of: file), file == "-" ? "standard input" : file) }
        guard let value = ProcessInfo.processInfo.environment[variable] else {
            throw .usage("Give the secret with --secret-file FILE (- is standard input) or in \(variable).")
        }
        return (Array(value.utf8), variable)
    }

    /// Returns what is in the file, or on standard input for `-`.
    static func contents(of file: String) throws(Outcome) -> [UInt8] {
        do {
            let handle =
                file == "-" ? FileHandle.standardInput : try FileHandle(forReadingFrom: URL(fileURLWithPath: file))
            var bytes: [UInt8] = []
            while bytes.count <= maximumBytes, let piece = try handle.read(upToCount: maximumBytes), !piece.isEmpty {
                bytes += piece
            }
            guard bytes.count <= maximumBytes else {
                throw Outcome.usage("\(file) is longer than \(maximumBytes) bytes.")
            }
            return bytes
        } catch let outcome as Outcome {
            throw outcome
        } catch {
            throw .usage("\(file) cannot be read: \(reason(error))")
        }
    }

    /// Says what went wrong with a file, in the system's words where Foundation has none of its own.
    static func reason(_ error: any Error) -> String {
        switch (error as? CocoaError)?.code {
        case .fileNoSuchFile, .fileReadNoSuchFile: "there is no such file"
        case .fileReadNoPermission: "permission denied"
        default: error.localizedDescription
        }
    }
}
