import Core
import Foundation

/// An attestation in a file, read in pieces.
struct AttestationFile {
    private static let pieceBytes = 1 << 20
    /// The last line is shorter than this.
    private static let lastLineBytes = 4096

    /// Nil when the file does not end as an attestation does.
    let signature: AttestationSignature?
    /// SHA-256 of what the signature covers.
    private let digest: [UInt8]

    /// Throws a usage error when the file cannot be read.
    init(path: String) throws(Outcome) {
        do {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { file.closeFile() }
            let sizeBytes = try file.seekToEnd()
            let tailStart = sizeBytes > Self.lastLineBytes ? sizeBytes - UInt64(Self.lastLineBytes) : 0
            try file.seek(toOffset: tailStart)
            let tail = try file.readToEnd() ?? Data()
            let mark = Data("\n\(AttestationDocument.signatureOpening)".utf8)
            let opening = Data(AttestationDocument.opening.utf8)
            try file.seek(toOffset: 0)
            guard let place = tail.range(of: mark, options: .backwards),
                try file.read(upToCount: opening.count) == opening
            else {
                signature = nil
                digest = []
                return
            }
            var line = Array(tail[place.upperBound...])
            while line.last == 0x0A { line.removeLast() }
            signature = AttestationSignature(parsing: line)
            let end = tailStart + UInt64(place.lowerBound - tail.startIndex)
            digest = try Self.digest(of: file, from: UInt64(opening.count), to: end)
        } catch {
            throw .usage("\(path) cannot be read: \(SecretInput.reason(error))")
        }
    }

    private static func digest(of file: FileHandle, from start: UInt64, to end: UInt64) throws -> [UInt8] {
        var stream = SHA256Stream()
        var left = end > start ? end - start : 0
        while left > 0 {
            guard let piece = try file.read(upToCount: Int(min(left, UInt64(pieceBytes)))), !piece.isEmpty else {
                break
            }
            stream.update(Array(piece))
            left -= UInt64(piece.count)
        }
        return stream.finish()
    }

    /// Why it is not what this installation signed; empty when it is.
    func problems(_ key: AttestationKey) -> [String] {
        guard let signature else { return ["it is not one"] }
        if signature.publicKey != key.publicKey { return ["it was signed by another installation"] }
        if !signature.isValid { return ["its signature is wrong"] }
        if signature.digest != digest { return ["its text was changed"] }
        return []
    }
}
